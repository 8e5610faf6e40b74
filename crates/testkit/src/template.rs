//! Random commands from templates.
//!
//! A template is a command with places to be filled in: `$k` a key, `$v` a value, and so on (see [`Vocabulary`]).
//! `[...]` may be left out, `{a|b}` is one of some, `(...)*` comes one to three times. What has no space between is one
//! word.

use crate::rng::Rng;

/// The words that templates are filled with.
pub trait Vocabulary {
    /// A word for `$letter`.
    fn word(&self, letter: char, rng: &mut Rng) -> Vec<u8>;
}

/// A command made from a template.
pub fn fill(template: &str, vocabulary: &dyn Vocabulary, rng: &mut Rng) -> Vec<Vec<u8>> {
    let mut words = Vec::new();
    let tokens: Vec<char> = template.chars().collect();
    expand(&tokens, vocabulary, rng, &mut words);
    words
}

fn expand(tokens: &[char], vocabulary: &dyn Vocabulary, rng: &mut Rng, words: &mut Vec<Vec<u8>>) {
    let mut word: Vec<u8> = Vec::new();
    let mut in_word = false;
    let mut index = 0;
    let end = |word: &mut Vec<u8>, in_word: &mut bool, words: &mut Vec<Vec<u8>>| {
        if std::mem::take(in_word) {
            words.push(std::mem::take(word));
        }
    };
    while index < tokens.len() {
        match tokens[index] {
            ' ' => end(&mut word, &mut in_word, words),
            '$' => {
                index += 1;
                word.extend(vocabulary.word(tokens[index], rng));
                in_word = true;
            }
            open @ ('[' | '(' | '{') => {
                let close = matching(tokens, index);
                let inside = &tokens[index + 1..close];
                let mut part = Vec::new();
                match open {
                    '[' if rng.one_in(2) => expand(inside, vocabulary, rng, &mut part),
                    '[' => {}
                    '{' => {
                        let choices = alternatives(inside);
                        let choice = choices[rng.below(choices.len())];
                        expand(choice, vocabulary, rng, &mut part);
                    }
                    _ => {
                        let times = if tokens.get(close + 1) == Some(&'*') { 1 + rng.below(3) } else { 1 };
                        (0..times).for_each(|_| expand(inside, vocabulary, rng, &mut part));
                    }
                }
                // What stands next to a part without a space is one word with it.
                let mut rest = part.into_iter();
                if let Some(first) = rest.next() {
                    word.extend(first);
                    in_word = true;
                }
                for next in rest {
                    words.push(std::mem::replace(&mut word, next));
                }
                index = if tokens.get(close + 1) == Some(&'*') { close + 1 } else { close };
            }
            other => {
                word.extend(other.to_string().bytes());
                in_word = true;
            }
        }
        index += 1;
    }
    end(&mut word, &mut in_word, words);
}

/// Where the bracket at `open` is closed.
fn matching(tokens: &[char], open: usize) -> usize {
    let mut depth = 0;
    for (index, token) in tokens.iter().enumerate().skip(open) {
        match token {
            '[' | '(' | '{' => depth += 1,
            ']' | ')' | '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return index;
        }
    }
    panic!("a bracket is not closed in {:?}", tokens.iter().collect::<String>());
}

/// The parts between bars that are not inside further brackets.
fn alternatives(tokens: &[char]) -> Vec<&[char]> {
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0);
    for (index, token) in tokens.iter().enumerate() {
        match token {
            '[' | '(' | '{' => depth += 1,
            ']' | ')' | '}' => depth -= 1,
            '|' if depth == 0 => {
                parts.push(&tokens[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.push(&tokens[start..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Letters;

    impl Vocabulary for Letters {
        fn word(&self, letter: char, _: &mut Rng) -> Vec<u8> {
            letter.to_uppercase().to_string().into_bytes()
        }
    }

    #[test]
    fn every_template_part_can_come_and_be_left_out() {
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..200 {
            let words = fill("SET $k $v [EX $t] {NX|XX}", &Letters, &mut Rng::new(seed));
            seen.insert(String::from_utf8(words.join(&b' ')).unwrap());
        }
        assert!(seen.contains("SET K V NX") && seen.contains("SET K V EX T XX"), "{seen:?}");
        let words = fill("A ($m $v)* B$k", &Letters, &mut Rng::new(3));
        assert!((4..=8).contains(&words.len()) && words.last().unwrap() == b"BK", "{words:?}");
        let words = fill("GET {u|u}{8|8} (#)$n x{1|1}y ($m)*", &Letters, &mut Rng::new(3));
        assert_eq!(words[..4], [b"GET".to_vec(), b"u8".to_vec(), b"#N".to_vec(), b"x1y".to_vec()]);
    }
}
