"""Holds the header's structs to those that nvidia-ml-py declares with ctypes.

Usage: layout_test.py REPOSITORY C_COMPILER. Writes a C file of static assertions on sizes and
offsets, and compiles it.
"""

import ctypes
import re
import subprocess
import sys
import tempfile

import pynvml

# Where Python's name of a struct or field is not the header's.
RENAMED_STRUCTS = {
    "nvmlPciInfo_v2_t": None,  # Python's own; the header has one struct for all versions.
    "nvmlEncoderSession_t": "nvmlEncoderSessionInfo_t",
    "nvmlFBCSession_t": "nvmlFBCSessionInfo_t",
    "nvmlDeviceAttributes": "nvmlDeviceAttributes_t",
    "nvmlRowRemapperHistogramValues": "nvmlRowRemapperHistogramValues_t",
    "nvmlUnrepairableMemory_v1_t": "nvmlUnrepairableMemoryStatus_v1_t",
    "nvmlGridLicensableFeatures_v4_t": "nvmlGridLicensableFeatures_t",
    "nvmlGridLicensableFeature_v4_t": "nvmlGridLicensableFeature_t",
    # Older layouts of what the header has only in its newest.
    "nvmlGridLicensableFeatures_t": None,
    "nvmlGridLicensableFeature_t": None,
}
# nvidia-ml-py 13.615 is newer than the header's 13.3, or has a layout of its own.
DIFFERENT_STRUCTS = {
    "nvmlGpmMetricsGet_t",  # More metrics, and so a longer array.
    "nvmlGpuFabricInfoV_t",  # The newest version each has.
    "nvmlUnrepairableMemoryStatus_v1_t",  # It gained a version word.
    "nvmlVgpuMetadata_t",  # Python leaves room for the data that follows the struct.
    "nvmlVgpuPgpuMetadata_t",  # Likewise.
}
LEAST_STRUCTS = 140


def python_structs():
    for name, value in sorted(vars(pynvml).items()):
        if not isinstance(value, type) or not issubclass(value, (ctypes.Structure, ctypes.Union)):
            continue
        if not hasattr(value, "_fields_"):
            continue
        c_name = re.sub(r"^c_", "", name)
        c_name = RENAMED_STRUCTS.get(c_name, c_name)
        if c_name is not None:
            yield c_name, value


def main():
    repository, compiler = sys.argv[1:3]
    header = open(repository + "/fakegpu/abi/types.h").read()
    known = set(re.findall(r"\b(nvml\w+)\b", header))
    lines = ['#include <stddef.h>', '#include "fakegpu/abi/nvml.h"']
    structs = 0
    left_out = []
    for c_name, struct in python_structs():
        if c_name not in known:
            left_out.append(c_name)
            continue
        if c_name in DIFFERENT_STRUCTS:
            continue
        structs += 1
        lines.append('_Static_assert(sizeof(%s) == %d, "size of %s");'
                     % (c_name, ctypes.sizeof(struct), c_name))
        # Offsets in order, whatever Python calls the fields.
        members = re.search(
            r"typedef (?:struct|union)(?: \w+)? \{\n((?:  .*\n)*?)\} (?:\w+, )*%s\b" % c_name, header)
        names = set(re.findall(r"(\w+)(?:\[\w+\])?;", members.group(1))) if members else set()
        for field in struct._fields_:
            if field[0] in names:
                lines.append('_Static_assert(offsetof(%s, %s) == %d, "%s.%s");' % (
                    c_name, field[0], getattr(struct, field[0]).offset, c_name, field[0]))
    with tempfile.NamedTemporaryFile("w", suffix=".c") as file:
        file.write("\n".join(lines) + "\n")
        file.flush()
        result = subprocess.run(
            [compiler, "-std=c11", "-fsyntax-only", "-I", repository, file.name])
    print("%d structs, %d assertions; not in the header: %s"
          % (structs, len(lines) - 2, ", ".join(left_out)))
    if structs < LEAST_STRUCTS:
        sys.exit("expected at least %d structs" % LEAST_STRUCTS)
    sys.exit(result.returncode)


main()
