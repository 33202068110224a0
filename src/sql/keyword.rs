//! The few keywords that decide how text around them reads. Words are given in
//! lower case, as bytes. The whole list of keywords is the server's affair.

/// Whether an expression begins behind this word, so that a sign there is unary
/// and a colon there begins a parameter.
#[must_use]
pub(super) fn opens_expression(word: &[u8]) -> bool {
    matches!(
        word,
        b"select"
            | b"where"
            | b"and"
            | b"or"
            | b"not"
            | b"in"
            | b"like"
            | b"ilike"
            | b"similar"
            | b"to"
            | b"between"
            | b"is"
            | b"from"
            | b"on"
            | b"having"
            | b"when"
            | b"then"
            | b"else"
            | b"case"
            | b"limit"
            | b"offset"
            | b"by"
            | b"values"
            | b"set"
            | b"returning"
            | b"using"
            | b"any"
            | b"some"
            | b"all"
            | b"distinct"
            | b"default"
            | b"escape"
            | b"return"
            | b"as"
            | b"filter"
            | b"fetch"
            | b"first"
            | b"next"
            | b"symmetric"
            | b"array"
            | b"rows"
            | b"range"
            | b"groups"
            | b"with"
            | b"row"
            | b"zone"
            | b"language"
            | b"uescape"
    )
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
    matches!(
        word,
        b"and"
            | b"or"
            | b"between"
            | b"when"
            | b"then"
            | b"else"
            | b"select"
            | b"limit"
            | b"offset"
            | b"from"
            | b"like"
            | b"ilike"
            | b"all"
            | b"distinct"
            | b"returning"
    )
}

/// Whether a word followed by a string is a typed literal, such as `date '2024-01-01'`.
/// `zone` and `precision` end the types of several words.
#[must_use]
pub(super) fn is_type(word: &[u8]) -> bool {
    matches!(
        word,
        b"date"
            | b"time"
            | b"timetz"
            | b"timestamp"
            | b"timestamptz"
            | b"interval"
            | b"int"
            | b"int2"
            | b"int4"
            | b"int8"
            | b"integer"
            | b"bigint"
            | b"smallint"
            | b"numeric"
            | b"decimal"
            | b"real"
            | b"float"
            | b"float4"
            | b"float8"
            | b"text"
            | b"varchar"
            | b"char"
            | b"bpchar"
            | b"name"
            | b"bool"
            | b"boolean"
            | b"uuid"
            | b"json"
            | b"jsonb"
            | b"xml"
            | b"bytea"
            | b"inet"
            | b"cidr"
            | b"macaddr"
            | b"point"
            | b"box"
            | b"money"
            | b"oid"
            | b"regclass"
            | b"tsvector"
            | b"tsquery"
            | b"int4range"
            | b"int8range"
            | b"numrange"
            | b"tsrange"
            | b"tstzrange"
            | b"daterange"
    )
}
