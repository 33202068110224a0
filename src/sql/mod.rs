//! SQL text without a server: lexer, shape, parameters, rewriting. Pure.
