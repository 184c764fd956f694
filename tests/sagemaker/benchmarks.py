"""docs/BENCHMARKS.md: each `make bench...` writes its own sections of it."""

import os
import platform
import re

from program import ROOT

PAGE = ROOT / "docs/BENCHMARKS.md"


def with_section(page: str, heading: str, text: str) -> str:
    """The page with what stands under this heading of second degree replaced, or added at its end."""
    section = f"{heading}\n\n{text.strip()}\n"
    found = re.search(rf"^{re.escape(heading)}\n.*?(?=^## |\Z)", page, re.M | re.S)
    if not found:
        return f"{page.rstrip()}\n\n{section}"
    before, after = page[: found.start()], page[found.end() :]
    return before + section + (f"\n{after}" if after else "")


def write_section(heading: str, text: str):
    PAGE.write_text(with_section(PAGE.read_text(), heading, text))
    print(f"docs/{PAGE.name} written: {heading.lstrip('# ')}")


def machine() -> str:
    """Processor, cores, memory, kernel, as `make bench` tells them, and what kernels are chosen by."""
    cpu = open("/proc/cpuinfo").read()
    field = lambda name: found.group(1) if (found := re.search(rf"^{name}\s*: (.*)", cpu, re.M)) else ""
    flags = [name for name in ("avx2", "avx512f", "avx_vnni", "avx512_vnni", "amx_int8") if name in field("flags").split()]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    parts = [field("model name") or platform.machine(), *([f"({', '.join(flags)})"] if flags else [])]
    return f"{' '.join(parts)}, {os.cpu_count()} cores, {memory:.0f} GiB of memory, Linux {platform.release()}"
