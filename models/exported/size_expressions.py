"""Validate size expressions (integers, symbols, arithmetic) of a torch.export program without evaluating them."""

from __future__ import annotations

import ast
import re

MOST_CHARACTERS = 20_000
MOST_PARTS = 3_000
MOST_DEPTH = 60
MOST_BITS = 512  # bound on the value an expression could have if it were evaluated
SYMBOL = re.compile(r"(s|u|zf|zuf)\d{1,6}", re.ASCII)
MARKS = {"positive", "nonnegative", "integer", "real", "negative", "nonpositive", "finite", "zero"}
CONSTANTS = {"oo", "int_oo", "zoo", "nan", "true", "false"}
_FUNCTIONS = """
Add And CeilDiv CeilToInt CleanDiv Eq Equality FloatTrueDiv Float FloorDiv FloorToInt Ge GreaterThan Gt Half Identity
IntTrueDiv Integer Le LessThan Lt Max Min Mod ModularIndexing Mul Ne Not One Or Pow PowByNatural PythonMod Rational
RoundToInt StrictGreaterThan StrictLessThan ToFloat TruncToFloat TruncToInt Unequality Where Xor Zero floor ceiling
"""
FUNCTIONS = frozenset(_FUNCTIONS.split())
OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.BitAnd, ast.BitOr, ast.BitXor, ast.Pow)
SIDES = (ast.USub, ast.UAdd, ast.Invert, ast.Not)
COMPARED = (ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE)
CHOICES = ("sym_max", "sym_min", "sym_not", "sym_ite", "sym_float", "sym_int")


class OutsideError(Exception):
    """The expression contains something that sizes do not."""


def size(text: str) -> bool:
    """Return whether an expression is a size: symbols, numbers and functions of them that cannot become large."""
    return _fits(text, _Sizes())


def guard(text: str) -> bool:
    """Return whether a guard only compares sizes of inputs, such as `L['x'].size()[2] >= 3`."""
    return _fits(text, _Guards())


def _fits(text: str, grammar: _Sizes) -> bool:
    if len(text) > MOST_CHARACTERS or not text.isascii() or not text.isprintable():
        return False
    try:
        return grammar.bits(ast.parse(text.strip(), mode="eval").body) <= MOST_BITS
    except (OutsideError, SyntaxError, ValueError, RecursionError, MemoryError):
        return False


class _Sizes:
    """Walks an expression and bounds the number of bits its value could have."""

    def __init__(self) -> None:
        self._parts = 0

    def bits(self, node: ast.expr, depth: int = 0) -> int:
        self._parts += 1
        if self._parts > MOST_PARTS or depth > MOST_DEPTH:
            raise OutsideError
        match node:
            case ast.Constant(value=bool()):
                return 1
            case ast.Constant(value=int(number)):
                return number.bit_length()
            case ast.Constant(value=float(number)):
                return 64 if abs(number) < 2**64 else MOST_BITS + 1
            case ast.UnaryOp(op=op, operand=inner) if isinstance(op, SIDES):
                return self.bits(inner, depth + 1)
            case ast.BinOp(left=left, op=ast.Pow(), right=right):
                return self._power(left, right, depth)
            case ast.BinOp(left=left, op=op, right=right) if isinstance(op, OPERATORS):
                return self.bits(left, depth + 1) + self.bits(right, depth + 1)
            case ast.BoolOp(values=values):
                return max(self.bits(one, depth + 1) for one in values)
            case ast.Compare(left=left, ops=ops, comparators=others) if all(isinstance(op, COMPARED) for op in ops):
                return max(self.bits(one, depth + 1) for one in (left, *others))
        return self.other(node, depth)

    def other(self, node: ast.expr, depth: int) -> int:
        match node:
            case ast.Name(id=name) if SYMBOL.fullmatch(name) or name in CONSTANTS:
                return 1
            case ast.Call(func=ast.Name(id="Symbol"), args=[ast.Constant(value=str(name))], keywords=marks):
                plain = all(one.arg in MARKS and isinstance(one.value, ast.Constant) for one in marks)
                if SYMBOL.fullmatch(name) and plain:
                    return 1
            case ast.Call(func=ast.Name(id="Float"), args=[ast.Constant(value=str(number))], keywords=_):
                if re.fullmatch(r"-?\d{1,20}(\.\d{1,20})?(e[+-]?\d{1,2})?", number, re.ASCII):
                    return 64
            case ast.Call(func=ast.Name(id="Pow" | "PowByNatural"), args=[left, right], keywords=[]):
                return self._power(left, right, depth)
            case ast.Call(func=ast.Name(id=name), args=[*args], keywords=[]) if name in FUNCTIONS and args:
                found = [self.bits(one, depth + 1) for one in args]
                grows = name in ("Mul", "Rational", "IntTrueDiv", "FloatTrueDiv", "FloorDiv", "CeilDiv", "CleanDiv")
                return sum(found) if grows else max(found) + len(found).bit_length()
        raise OutsideError

    def _power(self, base: ast.expr, exponent: ast.expr, depth: int) -> int:
        match exponent:
            case ast.Call(func=ast.Name(id="Integer"), args=[ast.Constant() | ast.UnaryOp() as inner], keywords=[]):
                exponent = inner
        match exponent:
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(number))) | ast.Constant(value=int(number)):
                return max(1, self.bits(base, depth + 1)) * max(1, abs(number))
            case ast.Call(func=ast.Name(id="Rational"), args=[ast.Constant(value=1), ast.Constant(value=2)]):
                return self.bits(base, depth + 1)
        raise OutsideError


class _Guards(_Sizes):
    """Size expressions in guards, which refer to inputs as `L['x']`."""

    def other(self, node: ast.expr, depth: int) -> int:
        match node:
            case ast.Subscript(
                value=ast.Call(func=ast.Attribute(value=place, attr="size" | "stride"), args=[], keywords=[]),
                slice=ast.Constant(value=int()),
            ) if self._place(place):
                return 1
            case ast.Call(func=ast.Attribute(value=place, attr="storage_offset" | "item"), args=[], keywords=[]):
                if self._place(place):
                    return 1
            case ast.Call(func=ast.Attribute(value=ast.Name(id="torch"), attr=name), args=[*args], keywords=[]) if (
                name in CHOICES and args
            ):
                return max(self.bits(one, depth + 1) for one in args) + 1
            case ast.Subscript() if self._place(node):
                return 1
        raise OutsideError

    def _place(self, node: ast.expr) -> bool:
        """Return whether this refers to an input: `L['x']`, or a part of it by key or index."""
        if isinstance(node, ast.Name):
            return node.id == "L"
        if not isinstance(node, ast.Subscript) or not isinstance(node.slice, ast.Constant):
            return False
        return isinstance(node.slice.value, str | int) and self._place(node.value)
