//! The grammar of a spec file: tokens to a tree with places. Names are not
//! resolved here.

use super::scan::{Keyword, SyntaxError, Token, TokenKind, scan};
use super::spec::SqlBlock;
use std::ops::Range;

/// The tree of a file.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) setups: Vec<SqlBlock>,
    pub(super) teardown: Option<SqlBlock>,
    pub(super) sessions: Vec<SessionEntry>,
    pub(super) permutations: Vec<Vec<PermutationEntry>>,
}

/// A name with its place.
#[derive(Debug)]
pub(super) struct Name {
    pub(super) text: String,
    pub(super) span: Range<usize>,
    /// One-based.
    pub(super) line: usize,
}

/// `session …`.
#[derive(Debug)]
pub(super) struct SessionEntry {
    pub(super) name: Name,
    pub(super) setup: Option<SqlBlock>,
    pub(super) steps: Vec<StepEntry>,
    pub(super) teardown: Option<SqlBlock>,
}

/// `step …`.
#[derive(Debug)]
pub(super) struct StepEntry {
    pub(super) name: Name,
    pub(super) sql: String,
}

/// One entry of `permutation …`.
#[derive(Debug)]
pub(super) struct PermutationEntry {
    pub(super) name: Name,
    pub(super) blockers: Vec<Blocker>,
}

/// One marker in parentheses.
#[derive(Debug)]
pub(super) enum Blocker {
    Once(Range<usize>),
    Step(Name),
    Notices(Name, u32),
}

impl Blocker {
    /// Its place.
    pub(super) fn span(&self) -> Range<usize> {
        match self {
            Self::Once(span) => span.clone(),
            Self::Step(name) | Self::Notices(name, _) => name.span.clone(),
        }
    }
}

/// Reads a file's tree, or points at the first token that does not fit.
pub(super) fn parse(text: &str) -> Result<Parsed, SyntaxError> {
    let tokens = scan(text)?;
    Parser { text, tokens: &tokens, position: 0 }.file()
}

struct Parser<'a> {
    text: &'a str,
    tokens: &'a [Token],
    position: usize,
}

impl Parser<'_> {
    fn file(&mut self) -> Result<Parsed, SyntaxError> {
        let mut setups = Vec::new();
        while let Some(block) = self.block_after(Keyword::Setup)? {
            setups.push(block);
        }
        let teardown = self.block_after(Keyword::Teardown)?;
        let mut sessions = Vec::new();
        while self.take_keyword(Keyword::Session) {
            sessions.push(self.session()?);
        }
        if sessions.is_empty() {
            return Err(self.missing("a session"));
        }
        let mut permutations = Vec::new();
        while self.take_keyword(Keyword::Permutation) {
            permutations.push(self.permutation()?);
        }
        if self.position == self.tokens.len() {
            return Ok(Parsed { setups, teardown, sessions, permutations });
        }
        let ended = sessions.last().is_some_and(|session| session.teardown.is_some());
        Err(self.missing(match (permutations.is_empty(), ended) {
            (true, false) => "a step, a session or a permutation",
            (true, true) => "a session or a permutation",
            (false, _) => "a step name or a permutation",
        }))
    }

    fn session(&mut self) -> Result<SessionEntry, SyntaxError> {
        let name = self.name("a name")?;
        let setup = self.block_after(Keyword::Setup)?;
        let mut steps = Vec::new();
        while self.take_keyword(Keyword::Step) {
            let name = self.name("a name")?;
            let sql = self.block()?.sql;
            steps.push(StepEntry { name, sql });
        }
        if steps.is_empty() {
            return Err(self.missing("a step"));
        }
        let teardown = self.block_after(Keyword::Teardown)?;
        Ok(SessionEntry { name, setup, steps, teardown })
    }

    fn permutation(&mut self) -> Result<Vec<PermutationEntry>, SyntaxError> {
        let mut entries = Vec::new();
        while entries.is_empty() || matches!(self.peek(), Some(TokenKind::Identifier(_))) {
            let name = self.name("a step name")?;
            let blockers = if self.take(&TokenKind::Open) { self.blockers()? } else { Vec::new() };
            entries.push(PermutationEntry { name, blockers });
        }
        Ok(entries)
    }

    fn blockers(&mut self) -> Result<Vec<Blocker>, SyntaxError> {
        let mut blockers = Vec::new();
        loop {
            blockers.push(self.blocker()?);
            if self.take(&TokenKind::Close) {
                return Ok(blockers);
            }
            if !self.take(&TokenKind::Comma) {
                return Err(self.missing("`,` or `)`"));
            }
        }
    }

    fn blocker(&mut self) -> Result<Blocker, SyntaxError> {
        if self.peek() == Some(&TokenKind::Star) {
            self.position += 1;
            return Ok(Blocker::Once(self.tokens[self.position - 1].span.clone()));
        }
        let name = self.name("a step name or `*`")?;
        if !self.take_keyword(Keyword::Notices) {
            return Ok(Blocker::Step(name));
        }
        let Some(&TokenKind::Integer(count)) = self.peek() else { return Err(self.missing("a number")) };
        self.position += 1;
        Ok(Blocker::Notices(name, count))
    }

    fn block_after(&mut self, keyword: Keyword) -> Result<Option<SqlBlock>, SyntaxError> {
        if self.take_keyword(keyword) { self.block().map(Some) } else { Ok(None) }
    }

    fn block(&mut self) -> Result<SqlBlock, SyntaxError> {
        let Some(Token { kind: TokenKind::SqlBlock(sql), span }) = self.tokens.get(self.position) else {
            return Err(self.missing("an SQL block"));
        };
        self.position += 1;
        Ok(SqlBlock { sql: sql.clone(), line: self.line(span.start) })
    }

    fn name(&mut self, what: &str) -> Result<Name, SyntaxError> {
        match self.tokens.get(self.position) {
            Some(Token { kind: TokenKind::Identifier(text), span }) => {
                self.position += 1;
                Ok(Name { text: text.clone(), span: span.clone(), line: self.line(span.start) })
            }
            Some(Token { kind: TokenKind::Keyword(_), .. }) => {
                let mut error = self.missing(what);
                error.help = Some("put a reserved word in double quotes to use it as a name".into());
                Err(error)
            }
            _ => Err(self.missing(what)),
        }
    }

    fn peek(&self) -> Option<&TokenKind> {
        self.tokens.get(self.position).map(|token| &token.kind)
    }

    fn take(&mut self, kind: &TokenKind) -> bool {
        let found = self.peek() == Some(kind);
        self.position += usize::from(found);
        found
    }

    fn take_keyword(&mut self, keyword: Keyword) -> bool {
        self.take(&TokenKind::Keyword(keyword))
    }

    fn line(&self, offset: usize) -> usize {
        self.text[..offset].matches('\n').count() + 1
    }

    fn missing(&self, what: &str) -> SyntaxError {
        let (span, message) = match self.tokens.get(self.position) {
            Some(token) => {
                (token.span.clone(), format!("{what} belongs here, found {}", token.kind.describe()))
            }
            None => (self.text.len()..self.text.len(), format!("{what} is missing: the file ends here")),
        };
        SyntaxError { message, span, help: None }
    }
}
