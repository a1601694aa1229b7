# postcopy in a container, and two variants for the profiles of docker-compose.yml (docs/containers.md).
#
#   docker build --target postcopy -t postcopy .

FROM node:22-bookworm-slim AS build
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY . .
# What is shipped is what the npm package holds.
RUN npm run --silent build \
 && npm pack --silent --pack-destination /tmp \
 && tar -xzf /tmp/postcopy-*.tgz -C /tmp

FROM node:22-bookworm-slim AS postcopy
ENV NODE_ENV=production
WORKDIR /postcopy
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --no-audit --no-fund && rm -rf /root/.npm
COPY --from=build /tmp/package ./
COPY docker ./docker
USER node
EXPOSE 4444 8080 9000
ENTRYPOINT ["node", "/postcopy/dist/src/cli/postcopy.js"]
CMD ["--help"]

# The link is shaped by the kernel. That takes root and NET_ADMIN, which are given up before the migration begins.
FROM postcopy AS tc
USER root
RUN apt-get update \
 && apt-get install -y --no-install-recommends iproute2 \
 && rm -rf /var/lib/apt/lists/*
ENTRYPOINT ["/postcopy/docker/with-tc.sh"]

# Real QEMU with the adapters of examples/conform, as one of the two ends.
FROM postcopy AS qemu
USER root
RUN apt-get update \
 && apt-get install -y --no-install-recommends qemu-system-x86 \
 && rm -rf /var/lib/apt/lists/*
USER node
ENTRYPOINT ["node"]

# What `docker build` makes without a target.
FROM postcopy
