//! The few keywords that decide how text around them reads. Words are given in
//! lower case, as bytes, grouped by length, which makes each test a few comparisons.
//! The whole list of keywords is the server's affair.

/// Whether an expression begins behind this word, so that a sign there is unary
/// and a colon there begins a parameter.
#[must_use]
pub(super) fn opens_expression(word: &[u8]) -> bool {
    match word.len() {
        2 => matches!(word, b"as" | b"by" | b"in" | b"is" | b"on" | b"or" | b"to"),
        3 => matches!(word, b"all" | b"and" | b"any" | b"not" | b"row" | b"set"),
        4 => matches!(
            word,
            b"case"
                | b"else"
                | b"from"
                | b"like"
                | b"next"
                | b"rows"
                | b"some"
                | b"then"
                | b"when"
                | b"with"
                | b"zone"
        ),
        5 => matches!(
            word,
            b"array" | b"fetch" | b"first" | b"ilike" | b"limit" | b"range" | b"using" | b"where"
        ),
        6 => matches!(
            word,
            b"escape" | b"filter" | b"groups" | b"having" | b"offset" | b"return" | b"select" | b"values"
        ),
        7 => matches!(word, b"between" | b"default" | b"similar" | b"uescape"),
        8 => matches!(word, b"distinct" | b"language"),
        9 => matches!(word, b"returning" | b"symmetric"),
        _ => false,
    }
}

/// Whether a parenthesis behind this word opens something other than the arguments of a call.
#[must_use]
pub(super) fn stands_apart(word: &[u8]) -> bool {
    opens_expression(word) && !matches!(word, b"any" | b"some" | b"all" | b"row" | b"array" | b"range")
        || matches!(
            word,
            b"exists"
                | b"over"
                | b"join"
                | b"lateral"
                | b"within"
                | b"into"
                | b"union"
                | b"except"
                | b"intersect"
        )
}

/// Whether NULL, TRUE or FALSE behind this word is a value, not a test such as `IS NULL`.
#[must_use]
pub(super) fn precedes_constant(word: &[u8]) -> bool {
    match word.len() {
        2 => matches!(word, b"or"),
        3 => matches!(word, b"all" | b"and"),
        4 => matches!(word, b"else" | b"from" | b"like" | b"then" | b"when"),
        5 => matches!(word, b"ilike" | b"limit"),
        6 => matches!(word, b"offset" | b"select"),
        7 => matches!(word, b"between"),
        8 => matches!(word, b"distinct"),
        9 => matches!(word, b"returning"),
        _ => false,
    }
}

/// Whether a word followed by a string is a typed literal, such as `date '2024-01-01'`.
/// `zone` and `precision` end the types of several words.
#[must_use]
pub(super) fn is_type(word: &[u8]) -> bool {
    match word.len() {
        3 => matches!(word, b"box" | b"int" | b"oid" | b"xml"),
        4 => matches!(
            word,
            b"bool"
                | b"char"
                | b"cidr"
                | b"date"
                | b"inet"
                | b"int2"
                | b"int4"
                | b"int8"
                | b"json"
                | b"name"
                | b"real"
                | b"text"
                | b"time"
                | b"uuid"
        ),
        5 => matches!(word, b"bytea" | b"float" | b"jsonb" | b"money" | b"point"),
        6 => matches!(word, b"bigint" | b"bpchar" | b"float4" | b"float8" | b"timetz"),
        7 => matches!(
            word,
            b"boolean"
                | b"decimal"
                | b"integer"
                | b"macaddr"
                | b"numeric"
                | b"tsquery"
                | b"tsrange"
                | b"varchar"
        ),
        8 => matches!(word, b"interval" | b"numrange" | b"regclass" | b"smallint" | b"tsvector"),
        9 => matches!(word, b"daterange" | b"int4range" | b"int8range" | b"timestamp" | b"tstzrange"),
        11 => matches!(word, b"timestamptz"),
        _ => false,
    }
}
