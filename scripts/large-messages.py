"""Sends messages as large as PostgreSQL takes through the recorder and tells its memory.

    plimsoll trace -- python3 scripts/large-messages.py

Needs libpq, Linux, and 6 GB of memory for the server and itself.
"""

import ctypes
import ctypes.util
import hashlib
import os
import time

ROW_BYTES = 1_000_000_000
PARAMETER = os.urandom(1 << 20) * 953
COPIED_BYTES = 600_000_000

libpq = ctypes.CDLL(ctypes.util.find_library("pq") or "libpq.so.5")
for function in ("PQconnectdb", "PQexec", "PQexecParams", "PQgetResult", "PQgetvalue"):
    getattr(libpq, function).restype = ctypes.c_void_p
libpq.PQresultErrorMessage.restype = ctypes.c_char_p
connection = ctypes.c_void_p(libpq.PQconnectdb(os.environ["DATABASE_URL"].encode()))
assert libpq.PQstatus(connection) == 0, "no connection"


def recorder_mb(key):
    with open(f"/proc/{os.getppid()}/status") as status:
        line = next(line for line in status if line.startswith(key))
    return int(line.split()[1]) // 1024


def values(result):
    """The first row."""
    result = ctypes.c_void_p(result)
    assert libpq.PQntuples(result) == 1, libpq.PQresultErrorMessage(result).decode()
    fields = range(libpq.PQnfields(result))
    row = [ctypes.string_at(libpq.PQgetvalue(result, 0, at), libpq.PQgetlength(result, 0, at)) for at in fields]
    libpq.PQclear(result)
    return row


def run(sql):
    libpq.PQclear(ctypes.c_void_p(libpq.PQexec(connection, sql.encode())))


def down():
    (row,) = values(libpq.PQexec(connection, f"SELECT repeat('x', {ROW_BYTES})".encode()))
    return ROW_BYTES, row == b"x" * ROW_BYTES


def up():
    bytea, binary = (ctypes.c_uint * 1)(17), (ctypes.c_int * 1)(1)
    text, length = (ctypes.c_char_p * 1)(PARAMETER), (ctypes.c_int * 1)(len(PARAMETER))
    sql = b"SELECT encode(sha256($1), 'hex')"
    (digest,) = values(libpq.PQexecParams(connection, sql, 1, bytea, text, length, binary, 0))
    return len(PARAMETER), digest.decode() == hashlib.sha256(PARAMETER).hexdigest()


def copied():
    run("CREATE TEMP TABLE large (value text)")
    run("COPY large FROM STDIN")
    half = b"y" * (COPIED_BYTES // 2)
    for part in (half, half, b"\n"):
        assert libpq.PQputCopyData(connection, part, len(part)) == 1
    libpq.PQputCopyEnd(connection, None)
    while libpq.PQgetResult(connection):
        pass
    (length,) = values(libpq.PQexec(connection, b"SELECT length(value) FROM large"))
    return COPIED_BYTES, int(length) == COPIED_BYTES


print(f"before: {recorder_mb('VmRSS')} MB")
for name, send in (("a row", down), ("a parameter", up), ("a row by COPY, in two messages", copied)):
    start = time.monotonic()
    size, is_whole = send()
    assert is_whole, name
    seconds = time.monotonic() - start
    print(f"{name}: {size} bytes, whole, in {seconds:.0f} s; recorder {recorder_mb('VmHWM')} MB at the peak", flush=True)
