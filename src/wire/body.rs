//! A cursor over a message body that may be cut short: every read is checked,
//! and a missing byte is `None`, never a panic.

/// What is left of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Body<'a> {
    rest: &'a [u8],
}

impl<'a> Body<'a> {
    /// Over a whole body or a prefix of one.
    #[must_use]
    pub fn new(body: &'a [u8]) -> Self {
        Self { rest: body }
    }

    /// The bytes not read yet.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next byte.
    pub fn u8(&mut self) -> Option<u8> {
        let (&first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    /// The next two bytes as a signed number.
    pub fn i16(&mut self) -> Option<i16> {
        self.array().map(i16::from_be_bytes)
    }

    /// The next two bytes as a count, which the protocol never makes negative.
    pub fn count(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    /// The next four bytes as a signed number.
    pub fn i32(&mut self) -> Option<i32> {
        self.array().map(i32::from_be_bytes)
    }

    /// The next four bytes as an unsigned number, such as an OID.
    pub fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// The next `length` bytes.
    pub fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        if length > self.rest.len() {
            return None;
        }
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        Some(taken)
    }

    /// The bytes up to the next zero byte, which is passed over.
    pub fn cstr(&mut self) -> Option<&'a [u8]> {
        let end = self.rest.iter().position(|&byte| byte == 0)?;
        let text = &self.rest[..end];
        self.rest = &self.rest[end + 1..];
        Some(text)
    }

    /// Like [`Self::cstr`], but what there is where the terminator was cut off.
    pub fn cstr_or_rest(&mut self) -> &'a [u8] {
        self.cstr().unwrap_or_else(|| std::mem::take(&mut self.rest))
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*taken)
    }
}

/// One length-prefixed value: a bound parameter or a column of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field<'a> {
    /// SQL NULL.
    Null,
    /// All the bytes of the value.
    Value(&'a [u8]),
    /// The value begins behind or runs past the kept part of the message.
    Cut,
}

/// The values of a row or of a Bind, in order; as many as were announced, the
/// ones behind the kept part being [`Field::Cut`].
#[derive(Debug, Clone, Copy)]
pub struct Fields<'a> {
    body: Body<'a>,
    left: u16,
}

impl<'a> Fields<'a> {
    /// Over a count word and the values behind it.
    pub(super) fn read(body: &mut Body<'a>) -> Option<Self> {
        let left = body.count()?;
        Some(Self { body: *body, left })
    }

    /// What stands behind the last value.
    pub(super) fn skip(mut self) -> Body<'a> {
        while self.next().is_some() {}
        self.body
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        self.left = self.left.checked_sub(1)?;
        let Some(length) = self.body.i32() else {
            self.body = Body::new(&[]);
            return Some(Field::Cut);
        };
        let Ok(length) = usize::try_from(length) else {
            return Some(Field::Null);
        };
        if let Some(value) = self.body.bytes(length) {
            return Some(Field::Value(value));
        }
        self.body = Body::new(&[]);
        Some(Field::Cut)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (usize::from(self.left), Some(usize::from(self.left)))
    }
}

impl ExactSizeIterator for Fields<'_> {}
