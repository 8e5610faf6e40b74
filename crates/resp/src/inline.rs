//! Requests typed by hand: words separated by spaces, with quotes and escapes.
//!
//! Source: observed on redis-server 7.0; `redis-cli` and configuration files use the same rules.

/// Splits a line into words; `None` if quotes are not balanced, or a closing quote is not followed by a space.
pub fn split_words(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut rest = line;
    loop {
        rest = rest.trim_ascii_start();
        // A NUL ends the line, as it ends a string in C.
        if rest.first().is_none_or(|&byte| byte == 0) {
            return Some(words);
        }
        let (word, after) = word(rest)?;
        words.push(word);
        rest = after;
    }
}

/// The first word of a line that does not begin with a space, and what follows it.
fn word(line: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut word = Vec::new();
    let mut rest = line;
    loop {
        match rest {
            [] | [0 | b' ' | b'\n' | b'\r' | b'\t', ..] => return Some((word, rest)),
            [quote @ (b'"' | b'\''), after @ ..] => {
                let after = quoted(*quote, after, &mut word)?;
                let ends = after.first().is_none_or(|&byte| byte == 0 || is_space(byte));
                return ends.then_some((word, after));
            }
            [byte, after @ ..] => {
                word.push(*byte);
                rest = after;
            }
        }
    }
}

/// Appends what stands before the closing quote; gives what follows it.
fn quoted<'a>(quote: u8, line: &'a [u8], word: &mut Vec<u8>) -> Option<&'a [u8]> {
    let mut rest = line;
    loop {
        match rest {
            [] | [0, ..] => return None,
            [byte, after @ ..] if *byte == quote => return Some(after),
            [b'\\', b'x', high, low, after @ ..]
                if quote == b'"' && high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                word.push(hex(*high) << 4 | hex(*low));
                rest = after;
            }
            [b'\\', byte, after @ ..] if quote == b'"' => {
                word.push(match byte {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 0x08,
                    b'a' => 0x07,
                    byte => *byte,
                });
                rest = after;
            }
            [b'\\', b'\'', after @ ..] if quote == b'\'' => {
                word.push(b'\'');
                rest = after;
            }
            [byte, after @ ..] => {
                word.push(*byte);
                rest = after;
            }
        }
    }
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0B | 0x0C)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Option<Vec<String>> {
        let words = split_words(line.as_bytes())?;
        Some(words.into_iter().map(|word| String::from_utf8_lossy(&word).into_owned()).collect())
    }

    #[test]
    fn words_quotes_and_escapes() {
        for (line, want) in [
            ("set  k v ", Some(vec!["set", "k", "v"])),
            ("", Some(vec![])),
            (r#"set "a b" 'c "d'"#, Some(vec!["set", "a b", "c \"d"])),
            (r#""\x41\n\t\\\"" 'it\'s' 'a\n'"#, Some(vec!["A\n\t\\\"", "it's", "a\\n"])),
            (r#"a"b c"d"#, None),
            (r#""open"#, None),
            ("'open", None),
            (r#""a"b"#, None),
            (r#""" ''"#, Some(vec!["", ""])),
            (r#""\xZZ""#, Some(vec!["xZZ"])),
        ] {
            assert_eq!(
                words(line),
                want.map(|words| words.into_iter().map(String::from).collect()),
                "{line}"
            );
        }
    }
}
