; The guest of bench/qemu: 64 KiB of firmware that writes pages at random and logs how long each write took.
;   nasm -f bin -o walker.bin bench/qemu/walker.asm
; 32-bit flat mode, one vCPU, no stack, no interrupts. walker-image.ts holds what this assembles to; a test compares.
;
; From BASE on it first puts each page's address into the page, then writes pages at random for ever (xorshift32). A
; write that took at least `threshold` ticks of the time-stamp counter is logged in a ring:
;   dd address of the page, ticks that it took, dq counter after it
; CONTROL holds the number of writes that were logged, whether the pages are filled, and the counter after the last write.
BASE    equ 0x100000
CONTROL equ 0x8000
LOG     equ 0x10000
ENTRIES equ 0x8000                  ; of 16 bytes
ROM     equ 0xFFFF0000
        bits 16
        org 0
page_count:
        dd 0
threshold:
        dd 0
start16:
        cli
        o32 lgdt [cs:gdtr]
        mov eax, cr0
        or al, 1
        mov cr0, eax
        jmp dword 0x08:(ROM+start32)
        align 16, db 0
gdt:    dq 0
        dq 0x00CF9A000000FFFF       ; 0x08 code, flat
        dq 0x00CF92000000FFFF       ; 0x10 data, flat
gdtr:   dw 23
        dd ROM+gdt
        bits 32
start32:
        mov ax, 0x10
        mov ds, ax
        mov es, ax
        mov edi, BASE
        mov ecx, [ROM+page_count]
.fill:  mov [edi], edi
        add edi, 4096
        dec ecx
        jnz .fill
        mov dword [CONTROL], 0
        mov dword [CONTROL+4], 1
        mov ebp, 0x9E3779B9
.next:  mov eax, ebp
        shl eax, 13
        xor ebp, eax
        mov eax, ebp
        shr eax, 17
        xor ebp, eax
        mov eax, ebp
        shl eax, 5
        xor ebp, eax
        mov eax, ebp
        mul dword [ROM+page_count]  ; edx: a page, each as likely
        shl edx, 12
        lea edi, [edx+BASE]
        rdtsc
        mov esi, eax
        add dword [edi], 2          ; the write that is timed; a page that is not there stops it
        rdtsc
        mov [CONTROL+8], eax
        mov [CONTROL+12], edx
        mov ebx, eax
        sub ebx, esi
        cmp ebx, [ROM+threshold]
        jb .next
        mov ecx, [CONTROL]
        and ecx, ENTRIES-1
        shl ecx, 4
        mov [ecx+LOG], edi
        mov [ecx+LOG+4], ebx
        mov [ecx+LOG+8], eax
        mov [ecx+LOG+12], edx
        inc dword [CONTROL]
        jmp .next
        times 0xFFF0-($-$$) db 0
        bits 16
        jmp start16                 ; near: keeps the base that CS has at reset
        times 0x10000-($-$$) db 0
