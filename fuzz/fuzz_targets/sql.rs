//! Any text: tokens cover it without gaps, a shape has its hash, statements
//! and parameters lie inside the text, and nothing panics.

#![no_main]

use libfuzzer_sys::fuzz_target;
use plimsoll::proxy::FaultPlan;
use plimsoll::sql::shape::{shape, shape_into, shape_with_placeholders};
use plimsoll::sql::statement::{split_statements, statement_kind};
use plimsoll::sql::{comment, lexer, literal, parameters};
use plimsoll::trace::{Bounds, StatementTemplate, ValueHasher, comment_tags, scope_setting};

fuzz_target!(|text: &str| {
    let mut position = 0;
    for token in lexer::tokens(text) {
        assert_eq!(token.start, position, "tokens leave no gap");
        assert!(token.end > token.start && text.is_char_boundary(token.end));
        position = token.end;
        let _ = literal::value(token.text(text));
    }
    assert_eq!(position, text.len(), "tokens cover the text");

    let once = shape(text);
    let (same, placeholders) = shape_with_placeholders(text);
    assert_eq!(once, same);
    assert_eq!(shape_into(text, &mut Vec::new()), once.hash);
    for span in placeholders.iter().flat_map(|placeholder| &placeholder.values) {
        let _ = literal::value(&text[span.clone()]);
    }
    let _ = shape(&once.text);

    let mut end = 0;
    for span in split_statements(text) {
        assert!(span.start >= end);
        end = span.end;
        let statement = &text[span];
        let _ = statement_kind(statement);
        let template = StatementTemplate::parse(statement, &ValueHasher::new(1), &Bounds::default());
        let _ = template.arguments(&ValueHasher::new(1), 4, |_| None);
        let _ = StatementTemplate::kept_arguments(statement, |_| None);
        let _ = (comment_tags(statement), scope_setting(statement), comment::tags(statement));
    }
    for _ in parameters::named_parameters(text) {}
    let _ = parameters::to_positional(text);
    let _ = text.parse::<FaultPlan>();
});
