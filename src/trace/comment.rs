//! What an application says about itself: tags in comments, `SET plimsoll.scope`.

use crate::sql::comment;

/// Longest key or value of a tag kept, in bytes.
const MAX_TAG_BYTES: usize = 256;

/// Tags of one statement, in the order of the text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tags(pub Vec<(String, String)>);

impl Tags {
    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// The scope that the tags name: `plimsoll_scope`, else the trace id of a
    /// `traceparent` (its span id differs from statement to statement).
    #[must_use]
    pub fn scope(&self) -> Option<String> {
        if let Some(scope) = self.get("plimsoll_scope") {
            return Some(scope.to_owned());
        }
        let tag = comment::Tag { key: "traceparent".into(), value: self.get("traceparent")?.to_owned() };
        comment::trace_parent(&[tag]).map(|parent| format!("trace {}", parent.trace_id))
    }
}

/// The tags in a statement's comments; none where there are none.
#[must_use]
pub fn comment_tags(text: &str) -> Option<Tags> {
    let tags: Vec<_> =
        comment::tags(text).into_iter().map(|tag| (bounded(tag.key), bounded(tag.value))).collect();
    (!tags.is_empty()).then_some(Tags(tags))
}

fn bounded(mut text: String) -> String {
    if text.len() > MAX_TAG_BYTES {
        let end = (0..=MAX_TAG_BYTES).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
    }
    text
}

/// The new scope that `SET [SESSION | LOCAL] plimsoll.scope {= | TO} '…'` or
/// `RESET plimsoll.scope` names: `Some(None)` ends the scope, `None` is
/// another statement. A statement that sets nothing costs one comparison.
#[must_use]
pub fn scope_setting(text: &str) -> Option<Option<String>> {
    setting(text, "plimsoll.scope")
}

/// The same for `plimsoll.max_statements`; what is no number lifts the bound.
#[must_use]
pub fn limit_setting(text: &str) -> Option<Option<u64>> {
    Some(setting(text, "plimsoll.max_statements")?.and_then(|value| value.parse().ok()))
}

fn setting(text: &str, name: &str) -> Option<Option<String>> {
    let text = text.trim().trim_end_matches(';').trim_end();
    let (verb, rest) = text.split_once(char::is_whitespace)?;
    let is_reset = verb.eq_ignore_ascii_case("reset");
    if !is_reset && !verb.eq_ignore_ascii_case("set") {
        return None;
    }
    let mut rest = rest.trim_start();
    for word in ["session", "local"] {
        if rest.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word)) {
            rest = rest[word.len()..].trim_start();
        }
    }
    if !rest.get(..name.len())?.eq_ignore_ascii_case(name) {
        return None;
    }
    let value = rest[name.len()..].trim_start();
    if is_reset {
        return Some(None);
    }
    let value = match value.strip_prefix('=') {
        Some(value) => value,
        None => value.get(..2).filter(|to| to.eq_ignore_ascii_case("to")).map(|_| &value[2..])?,
    };
    let value = value.trim();
    if value.eq_ignore_ascii_case("default") {
        return Some(None);
    }
    let value = value.strip_prefix('\'').and_then(|v| v.strip_suffix('\'')).unwrap_or(value);
    let value = value.replace("''", "'");
    Some((!value.is_empty()).then_some(value))
}

#[cfg(test)]
mod tests {
    use super::{comment_tags, scope_setting};

    #[test]
    fn reads_sqlcommenter() {
        let tags = comment_tags(
            "SELECT 1 /*controller='orders',route='%2Forders%2F',\
             traceparent='00-5bd66ef5095369c7b0d1f8f4bd33716a-c532cb4098ac3dd2-01'*/;",
        )
        .unwrap();
        assert_eq!(tags.get("route"), Some("/orders/"));
        assert_eq!(tags.scope().as_deref(), Some("trace 5bd66ef5095369c7b0d1f8f4bd33716a"));
        assert_eq!(comment_tags("/*a='b'*/ select 1").unwrap().get("a"), Some("b"));
        assert_eq!(comment_tags("select 1 /* plain words */"), None);
        assert_eq!(comment_tags("select 1"), None);
    }

    #[test]
    fn reads_the_scope_setting() {
        let set = |text| scope_setting(text);
        assert_eq!(set("SET plimsoll.scope = 'test_a'"), Some(Some("test_a".into())));
        assert_eq!(set("set local plimsoll.scope to 'it''s';"), Some(Some("it's".into())));
        assert_eq!(set("SET SESSION plimsoll.scope=''"), Some(None));
        assert_eq!(set("RESET plimsoll.scope"), Some(None));
        assert_eq!(set("SET plimsoll.scope TO DEFAULT"), Some(None));
        assert_eq!(set("SET application_name = 'x'"), None);
        assert_eq!(super::limit_setting("SET plimsoll.max_statements = 20"), Some(Some(20)));
        assert_eq!(super::limit_setting("SET plimsoll.max_statements TO '20'"), Some(Some(20)));
        assert_eq!(super::limit_setting("RESET plimsoll.max_statements"), Some(None));
        assert_eq!(super::limit_setting("SET plimsoll.scope = 'x'"), None);
        assert_eq!(set("SELECT 1"), None);
    }
}
