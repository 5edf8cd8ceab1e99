"""What the readers of archives (zip, npz, gzip, tar) raise on bytes that are not what they should be."""

import lzma
import struct
import tarfile
import tokenize
import zipfile
import zlib

#: Beside an archive's own errors: a changed byte can make a member look encrypted or packed in another way
#: (RuntimeError, struct.error, LZMAError), or break numpy's header of an array (ValueError, TokenError).
DAMAGED = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    tokenize.TokenError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    ValueError,
)
