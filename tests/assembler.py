"""The source of the demo's WebAssembly module, and the assembler that turns it into bytes."""

import numpy as np

MULTIPLY = """
loop
  i32.const 0   local.set column
  loop
    f32.const 0   local.set sum
    i32.const 0   local.set k
    loop
      local.get sum
      local.get k   i32.const 4   i32.mul   local.get a   i32.add   f32.load
      local.get k   local.get columns   i32.mul   local.get column   i32.add
      i32.const 4   i32.mul   local.get b   i32.add   f32.load
      f32.mul   f32.add   local.set sum
      local.get k   i32.const 1   i32.add   local.tee k
      local.get inner   i32.lt_s   br_if 0
    end
    local.get c   local.get sum   f32.store
    local.get c   i32.const 4   i32.add   local.set c
    local.get column   i32.const 1   i32.add   local.tee column
    local.get columns   i32.lt_s   br_if 0
  end
  local.get inner   i32.const 4   i32.mul   local.get a   i32.add   local.set a
  local.get rows   i32.const 1   i32.sub   local.tee rows   br_if 0
end
"""

WITH_OPERAND = ("local.get", "local.set", "local.tee", "i32.const", "f32.const", "br_if")
CODES = {
    "loop": 0x03,
    "end": 0x0B,
    "br_if": 0x0D,
    "i32.const": 0x41,
    "f32.const": 0x43,
    "local.get": 0x20,
    "local.set": 0x21,
    "local.tee": 0x22,
    "f32.load": 0x2A,
    "f32.store": 0x38,
    "i32.lt_s": 0x48,
    "i32.add": 0x6A,
    "i32.sub": 0x6B,
    "i32.mul": 0x6C,
    "f32.add": 0x92,
    "f32.mul": 0x94,
}
VARIABLES = ["a", "b", "c", "rows", "inner", "columns", "column", "k", "sum"]


def whole(number):
    if number < 128:
        return bytes([number])
    return bytes([number % 128 + 128]) + whole(number // 128)


def instructions(program):
    """Return [(name, operand or None), ...]."""
    words = iter(program.split())
    return [(word, next(words) if word in WITH_OPERAND else None) for word in words]


def encode(program):
    code = b""
    for name, operand in instructions(program):
        code += bytes([CODES[name]])
        if name.startswith("local"):
            code += whole(VARIABLES.index(operand))
        elif name in ("i32.const", "br_if"):
            code += whole(int(operand))
        elif name == "f32.const":
            code += np.float32(operand).tobytes()
        elif name == "loop":
            code += b"\x40"
        elif name in ("f32.load", "f32.store"):
            code += bytes([2, 0])
    return code


INTEGER, FLOAT, FUNCTION = 0x7F, 0x7D, 0x60


def section(number, content):
    return bytes([number]) + whole(len(content)) + content


def module(code, pages):
    memory, multiply = b"\x06memory\x02\x00", b"\x08multiply\x00\x00"
    body = bytes([2, 2, INTEGER, 1, FLOAT]) + code + bytes([CODES["end"]])
    return (
        b"\0asm\1\0\0\0"
        + section(1, bytes([1, FUNCTION, 6] + 6 * [INTEGER] + [0]))
        + section(3, bytes([1, 0]))
        + section(5, bytes([1, 0]) + whole(pages))
        + section(7, bytes([2]) + memory + multiply)
        + section(10, bytes([1]) + whole(len(body)) + body)
    )
