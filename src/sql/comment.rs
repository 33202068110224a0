//! Tags that applications put into comments: the sqlcommenter format
//! (`/*route='%2Forders',traceparent='00-…'*/`, google.github.io/sqlcommenter/spec)
//! and Rails' older `/*application:shop,controller:orders*/`.

use super::lexer::{TokenKind, tokens};
use percent_encoding::percent_decode_str;

/// A key with its decoded value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// Such as `route`, `controller`, `traceparent`.
    pub key: String,
    /// Without quotes and escapes.
    pub value: String,
}

/// The parts of a `traceparent` tag (W3C Trace Context).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceParent {
    /// 32 hexadecimal digits: the whole request.
    pub trace_id: String,
    /// 16 hexadecimal digits: the calling span.
    pub span_id: String,
    /// Whether the trace is sampled.
    pub is_sampled: bool,
}

/// More tags than this on one statement are ignored.
const TAGS_MAX: usize = 32;

/// All tags in the block comments of a statement, in order, at most 32. Plain prose gives none.
#[must_use]
pub fn tags(statement: &str) -> Vec<Tag> {
    // Most statements have no comment: don't lex those.
    if !statement.contains("/*") {
        return Vec::new();
    }
    let mut found = Vec::new();
    for token in tokens(statement).filter(|token| token.kind == TokenKind::BlockComment) {
        let comment = token.text(statement);
        let content = comment.get(2..comment.len() - 2).unwrap_or("").trim();
        if let Some(tags) = quoted_tags(content).or_else(|| plain_tags(content)) {
            found.extend(tags);
        }
    }
    found.truncate(TAGS_MAX);
    found
}

/// The `traceparent` among tags, where it is well formed.
#[must_use]
pub fn trace_parent(tags: &[Tag]) -> Option<TraceParent> {
    let value = &tags.iter().find(|tag| tag.key == "traceparent")?.value;
    let mut parts = value.split('-');
    let (version, trace_id, span_id, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_hexadecimal =
        |part: &str, length: usize| part.len() == length && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_valid = is_hexadecimal(version, 2)
        && is_hexadecimal(trace_id, 32)
        && is_hexadecimal(span_id, 16)
        && is_hexadecimal(flags, 2)
        && trace_id.bytes().any(|byte| byte != b'0');
    let is_sampled = u8::from_str_radix(flags, 16).ok()? & 1 == 1;
    is_valid.then(|| TraceParent { trace_id: trace_id.to_owned(), span_id: span_id.to_owned(), is_sampled })
}

/// `key='value',key='value'`; `None` where the text is anything else.
fn quoted_tags(content: &str) -> Option<Vec<Tag>> {
    let mut tags = Vec::new();
    let mut rest = content;
    loop {
        let (key, after) = rest.split_once('=')?;
        let value = after.trim_start().strip_prefix('\'')?;
        let end = closing_quote(value)?;
        tags.push(Tag { key: decode(key.trim())?, value: decode(&value[..end].replace("\\'", "'"))? });
        rest = value[end + 1..].trim_start();
        match rest.strip_prefix(',') {
            Some(next) => rest = next.trim_start(),
            None if rest.is_empty() => return Some(tags),
            None => return None,
        }
    }
}

fn closing_quote(value: &str) -> Option<usize> {
    let bytes = value.as_bytes();
    (0..bytes.len()).find(|&at| bytes[at] == b'\'' && (at == 0 || bytes[at - 1] != b'\\'))
}

/// `key:value,key:value`, keys of word characters only, so that prose is not taken for tags.
fn plain_tags(content: &str) -> Option<Vec<Tag>> {
    content
        .split(',')
        .map(|pair| {
            let (key, value) = pair.split_once(':')?;
            let is_key =
                !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            let is_value = !value.is_empty() && !value.contains(char::is_whitespace);
            (is_key && is_value).then(|| Tag { key: key.to_owned(), value: value.to_owned() })
        })
        .collect()
}

fn decode(text: &str) -> Option<String> {
    let is_sound = !text.is_empty() && !text.contains(char::is_whitespace);
    is_sound.then(|| percent_decode_str(text).decode_utf8_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(statement: &str, expected: &[(&str, &str)]) {
        let found = tags(statement);
        let found: Vec<_> = found.iter().map(|tag| (tag.key.as_str(), tag.value.as_str())).collect();
        assert_eq!(found, expected, "{statement}");
    }

    #[test]
    fn both_formats_are_read_and_prose_is_not() {
        check(
            "select 1 /*route='%2Forders%2F',db_driver='x'*/;",
            &[("route", "/orders/"), ("db_driver", "x")],
        );
        check(r"/*name='it\'s'*/ select 1", &[("name", "it's")]);
        check("select 1 /*application:shop,action:index*/", &[("application", "shop"), ("action", "index")]);
        check("select 1 /* see: the manual, page 3 */", &[]);
        check("select '/*a=''b''*/'", &[]);
        check("select 1 /*a='b' c*/", &[]);
        check("select 1 /**/", &[]);
    }

    #[test]
    fn a_trace_parent_is_read_where_it_is_well_formed() {
        let tags = tags("select 1 /*traceparent='00-5bd66ef5095369c7b0d1f8f4bd33716a-c532cb4098ac3dd2-01'*/");
        let parent = trace_parent(&tags).expect("well formed");
        assert_eq!(parent.trace_id, "5bd66ef5095369c7b0d1f8f4bd33716a");
        assert_eq!(parent.span_id, "c532cb4098ac3dd2");
        assert!(parent.is_sampled);
        assert_eq!(trace_parent(&[]), None);
        let short = Tag { key: "traceparent".to_owned(), value: "00-5bd6-c532-01".to_owned() };
        assert_eq!(trace_parent(&[short]), None);
    }

    proptest! {
        #[test]
        fn any_comment_is_survived(text in r"/\*[a-z=',:%\\0-9é ]{0,30}\*/") {
            let _ = tags(&text);
        }
    }
}
