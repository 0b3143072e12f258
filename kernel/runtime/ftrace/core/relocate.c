// SPDX-License-Identifier: GPL-2.0-only
/*
 * Links places in a patch module to symbols that the module loader does not
 * know. By then the module's code is read-only, so that the kernel's own
 * function for patching text writes, page by page through a mapping of its own;
 * nobody runs that code yet. Relocations: ELF for the Arm 64-bit Architecture,
 * 5.7; instructions: Arm ARM C6.2.
 */
#include <linux/bitops.h>
#include <linux/elf.h>
#include <linux/kernel.h>

#include "core.h"

#define PAGE_OF(address) ((address) & ~0xfffUL)

static int write_word(unsigned long place, u32 word)
{
	if (*(u32 *)place == word)
		return 0;
	return kernel.patch_text((void *)place, word);
}

/* ADRP: pages from its own, in immhi (23:5) and immlo (30:29). */
static int relocate_page(unsigned long place, unsigned long value)
{
	s64 pages = (s64)(PAGE_OF(value) - PAGE_OF(place)) >> 12;
	u32 word = *(u32 *)place & ~(GENMASK(30, 29) | GENMASK(23, 5));

	if (pages != sign_extend64(pages, 20))
		return -ERANGE;
	return write_word(place, word | (pages & 3) << 29 | (pages >> 2 & GENMASK(18, 0)) << 5);
}

/* ADD, load, store: bits 11 and below, in units of the access, in imm12 (21:10). */
static int relocate_low(unsigned long place, unsigned long value, unsigned int scale)
{
	u32 word = *(u32 *)place & ~GENMASK(21, 10);
	u32 low = value & 0xfff;

	if (low & (BIT(scale) - 1))
		return -ERANGE;
	return write_word(place, word | low >> scale << 10);
}

static int relocate_relative(unsigned long place, unsigned long value)
{
	s64 distance = value - place;

	if (distance != (s32)distance)
		return -ERANGE;
	return write_word(place, distance);
}

static int relocate_long(unsigned long place, u64 value)
{
	return write_word(place, value) ?: write_word(place + 4, value >> 32);
}

static int relocate_place(unsigned long place, unsigned long value, u64 type)
{
	if (place & 3)
		return -EINVAL;
	switch (type) {
	case R_AARCH64_ABS64:
		return relocate_long(place, value);
	case R_AARCH64_PREL64:
		return relocate_long(place, value - place);
	case R_AARCH64_PREL32:
		return relocate_relative(place, value);
	case R_AARCH64_ADR_PREL_PG_HI21:
	case R_AARCH64_ADR_PREL_PG_HI21_NC:
		return relocate_page(place, value);
	case R_AARCH64_ADD_ABS_LO12_NC:
	case R_AARCH64_LDST8_ABS_LO12_NC:
		return relocate_low(place, value, 0);
	case R_AARCH64_LDST16_ABS_LO12_NC:
		return relocate_low(place, value, 1);
	case R_AARCH64_LDST32_ABS_LO12_NC:
		return relocate_low(place, value, 2);
	case R_AARCH64_LDST64_ABS_LO12_NC:
		return relocate_low(place, value, 3);
	case R_AARCH64_LDST128_ABS_LO12_NC:
		return relocate_low(place, value, 4);
	default:
		return -ENOEXEC;
	}
}

int relocate(const char *patch, const struct hotpatch_reloc *reloc, unsigned long symbol)
{
	int ret = relocate_place((unsigned long)reloc->place, symbol + reloc->addend, reloc->type);

	if (ret)
		pr_err("%s: cannot link %pS: relocation of type %llu: %d\n", patch, reloc->place,
		       reloc->type, ret);
	return ret;
}

unsigned long relocate_read(unsigned long page_at, unsigned long low_at)
{
	u32 page = *(u32 *)page_at;
	u32 low = *(u32 *)low_at;
	s64 distance = sign_extend64((page >> 5 & GENMASK(18, 0)) << 2 | (page >> 29 & 3), 20);
	unsigned long address;
	unsigned int scale;

	/* ADRP, or ADR where the module loader avoids erratum 843419. */
	if ((page & 0x9f000000) == 0x90000000)
		address = PAGE_OF(page_at) + (distance << 12);
	else if ((page & 0x9f000000) == 0x10000000)
		address = page_at + distance;
	else
		return 0;
	/* The register that one writes, the other reads. */
	if ((page & GENMASK(4, 0)) != (low >> 5 & GENMASK(4, 0)))
		return 0;
	if ((low & 0xffc00000) == 0x91000000) /* ADD (immediate), 64-bit */
		scale = 0;
	else if ((low & 0x3f000000) == 0x39000000) /* load or store (unsigned immediate) */
		scale = low >> 30;
	else if ((low & 0x3f000000) == 0x3d000000) /* of SIMD registers: 128 bits with opc<1> */
		scale = (low >> 30) | (low & BIT(23) ? 4 : 0);
	else
		return 0;
	return address + ((low >> 10 & GENMASK(11, 0)) << scale);
}
