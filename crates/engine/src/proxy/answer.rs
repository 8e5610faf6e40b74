//! The replies of nodes, as far as they must be understood to make one of them. They are our own: they are well-formed.

/// The number behind a type's mark, and where the rest begins.
fn header(bytes: &[u8]) -> (i64, &[u8]) {
    let end = bytes.iter().position(|&byte| byte == b'\r').unwrap_or(bytes.len());
    let number = structures::number::parse_i64(bytes.get(1..end).unwrap_or_default()).unwrap_or(0);
    (number, bytes.get(end + 2..).unwrap_or_default())
}

/// What comes behind the first element.
fn behind(bytes: &[u8]) -> &[u8] {
    let (number, rest) = header(bytes);
    let count = usize::try_from(number).unwrap_or(0);
    let elements = match bytes[0] {
        b'$' | b'=' | b'!' if number >= 0 => return rest.get(count + 2..).unwrap_or_default(),
        b'*' | b'~' | b'>' => count,
        b'%' => 2 * count,
        b'|' => 2 * count + 1,
        _ => 0,
    };
    (0..elements).fold(rest, |rest, _| if rest.is_empty() { rest } else { behind(rest) })
}

/// The elements of a part of an answer.
pub(super) fn elements(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let element = rest;
        rest = if rest.is_empty() { return None } else { behind(rest) };
        Some(&element[..element.len() - rest.len()])
    })
}

/// How many elements a list has, and the elements.
pub(super) fn list(answer: &[u8]) -> (usize, &[u8]) {
    let (count, rest) = header(answer);
    (usize::try_from(count).unwrap_or(0), rest)
}

/// A number.
pub(super) fn integer(answer: &[u8]) -> i64 {
    header(answer).0
}

/// The bytes of a string; none if there is none.
pub(super) fn text(answer: &[u8]) -> Option<&[u8]> {
    let (len, rest) = header(answer);
    match answer.first()? {
        b'$' => rest.get(..usize::try_from(len).ok()?),
        // The format and a colon stand in front.
        b'=' => rest.get(4..usize::try_from(len).ok()?),
        _ => None,
    }
}

/// Whether it is an error.
pub(super) fn is_error(answer: &[u8]) -> bool {
    matches!(answer.first(), Some(b'-' | b'!'))
}

/// Messages that stand before an answer, and the answer.
pub(super) fn messages(answer: &[u8]) -> (&[u8], &[u8]) {
    let mut rest = answer;
    while rest.first() == Some(&b'>') {
        rest = behind(rest);
    }
    answer.split_at(answer.len() - rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_told_apart() {
        let parts: [&[u8]; 8] = [
            b"+OK\r\n",
            b"$3\r\na\r\n\r\n",
            b"$-1\r\n",
            b"_\r\n",
            b"*2\r\n:1\r\n*-1\r\n",
            b"%1\r\n+a\r\n~1\r\n,1.5\r\n",
            b"*0\r\n",
            b"=5\r\ntxt:a\r\n",
        ];
        assert_eq!(elements(&parts.concat()).collect::<Vec<_>>(), parts);
        assert_eq!(text(b"$3\r\nabc\r\n"), Some(&b"abc"[..]));
        assert_eq!(text(b"=5\r\ntxt:a\r\n"), Some(&b"a"[..]));
        assert_eq!((text(b"$-1\r\n"), text(b"_\r\n")), (None, None));
        assert_eq!((integer(b":-7\r\n"), list(b"*1\r\n:1\r\n")), (-7, (1, &b":1\r\n"[..])));
        assert_eq!(messages(b">2\r\n+a\r\n+b\r\n:1\r\n"), (&b">2\r\n+a\r\n+b\r\n"[..], &b":1\r\n"[..]));
    }
}
