//! Which arguments of a command are secret.

/// Which arguments of a command logs and monitors do not show, from release 6.2 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrets {
    /// None.
    None,
    /// All from this one on.
    From(usize),
    /// After each of these words, in any case, so many.
    After(&'static [(&'static str, usize)]),
}

impl Secrets {
    /// Whether the argument at `index` is secret.
    pub fn hide<'a>(self, index: usize, arg: impl Fn(usize) -> &'a [u8]) -> bool {
        match self {
            Secrets::None => false,
            Secrets::From(from) => index >= from,
            Secrets::After(words) => words.iter().any(|&(word, count)| {
                (index.saturating_sub(count)..index)
                    .any(|before| before > 0 && arg(before).eq_ignore_ascii_case(word.as_bytes()))
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(secrets: Secrets, request: &str) -> String {
        let words: Vec<&[u8]> = request.split(' ').map(str::as_bytes).collect();
        let letter = |index| if secrets.hide(index, |at| words[at]) { '?' } else { '.' };
        (0..words.len()).map(letter).collect()
    }

    #[test]
    fn secrets_are_hidden_and_nothing_else() {
        assert_eq!(hidden(Secrets::None, "get auth x"), "...");
        assert_eq!(hidden(Secrets::From(1), "auth user password"), ".??");
        let hello = Secrets::After(&[("auth", 2)]);
        assert_eq!(hidden(hello, "hello 3 AUTH user password setname x"), "...??..");
        let config = Secrets::After(&[("requirepass", 1), ("masterauth", 1)]);
        assert_eq!(hidden(config, "config set maxmemory 1 requirepass x"), ".....?");
        assert_eq!(hidden(config, "requirepass x"), "..");
    }
}
