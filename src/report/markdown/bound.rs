//! How long Markdown may become. GitHub takes 65 536 characters of a comment
//! and 1 MiB of a job summary; what fits the first fits the second.

use std::io;

/// Bytes of a whole report or comparison: below the bound of a comment by as much as a heading and
/// a few words of whoever posts it may need.
pub(in crate::report) const BYTES_MAX: usize = 60_000;

/// Writes items until they come to so many bytes, and says how many it wrote.
pub(in crate::report) fn bounded<T>(
    bytes: usize,
    items: impl Iterator<Item = T>,
    write: impl Fn(T, &mut dyn io::Write) -> io::Result<()>,
    out: &mut dyn io::Write,
) -> io::Result<usize> {
    let (mut text, mut written) = (Vec::new(), 0);
    for item in items {
        let before = text.len();
        write(item, &mut text)?;
        if text.len() > bytes {
            text.truncate(before);
            break;
        }
        written += 1;
    }
    out.write_all(&text)?;
    Ok(written)
}
