//! SQL text without a server: lexer, shape, parameters, statements, comments. Pure.
//!
//! Everything here reads PostgreSQL's lexical structure with
//! `standard_conforming_strings = on`, never panics on any input, and borrows
//! from the text it is given.

pub mod calls;
pub mod comment;
pub mod lexer;
pub mod literal;
pub mod parameters;
pub mod shape;
pub mod statement;

mod keyword;
