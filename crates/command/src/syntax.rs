//! The arguments of a command, as a line of text and as what it means.
//!
//! ```text
//! key value condition=[NX | XX] [GET@6.2.0] expiration=[EX seconds:int | PX milliseconds:int@2.6.12]
//! ```
//!
//! A word that begins with a small letter stands for a value; its type follows a colon unless it is a string, or a key
//! named so. Other words stand for themselves; one that is followed by a value or by parentheses introduces them.
//! Brackets are optional, parentheses are not; in both, bars separate alternatives, and several arguments make a block.
//! Dots mean that what they follow may be repeated; after brackets, with the word that introduces it. `@` tells the
//! version that added what it follows. The name of anything may stand before it with an equals sign; that of a container
//! is otherwise made from what is inside, that of a word from itself.

use crate::{Version, v};

/// An argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argument {
    /// What it is called.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// The word that introduces it, or that it is.
    pub token: Option<&'static str>,
    /// The number of the key specification that finds it.
    pub key_spec: Option<u8>,
    /// The version that added it, if that was not the command's.
    pub since: Option<Version>,
    /// Whether it may be left out.
    pub optional: bool,
    /// Whether it may be repeated.
    pub multiple: bool,
    /// Whether the word that introduces it is repeated with it.
    pub multiple_token: bool,
    /// What is inside of it.
    pub arguments: Vec<Argument>,
}

/// What an argument is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Kind {
    String,
    Integer,
    Double,
    Key,
    Pattern,
    UnixTime,
    /// A word that stands for itself.
    Token,
    /// One of some.
    OneOf,
    /// Several in turn.
    Block,
}

impl Kind {
    /// The kind as `COMMAND DOCS` names it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::String => "string",
            Kind::Integer => "integer",
            Kind::Double => "double",
            Kind::Key => "key",
            Kind::Pattern => "pattern",
            Kind::UnixTime => "unix-time",
            Kind::Token => "pure-token",
            Kind::OneOf => "oneof",
            Kind::Block => "block",
        }
    }

    /// Whether it holds other arguments.
    pub fn is_container(self) -> bool {
        matches!(self, Kind::OneOf | Kind::Block)
    }
}

/// A line that means nothing, from here on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

/// The arguments that a line means.
///
/// # Errors
/// [`Malformed`]
pub fn parse(line: &'static str) -> Result<Vec<Argument>, Malformed> {
    let mut parser = Parser { rest: line, keys: 0 };
    let arguments = parser.sequence()?;
    if parser.rest.is_empty() { Ok(arguments) } else { Err(Malformed(parser.rest)) }
}

struct Parser {
    rest: &'static str,
    /// Keys that have been met.
    keys: u8,
}

impl Parser {
    fn peek(&mut self) -> Option<char> {
        self.rest = self.rest.trim_start();
        self.rest.chars().next()
    }

    fn eat(&mut self, text: &str) -> bool {
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// The next characters up to one that belongs to the language.
    fn word(&mut self, ends: &[char]) -> Result<&'static str, Malformed> {
        let end = self.rest.find(ends).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        if word.is_empty() {
            return Err(Malformed(self.rest));
        }
        self.rest = rest;
        Ok(word)
    }

    /// Arguments up to the end of the line or of what encloses them.
    fn sequence(&mut self) -> Result<Vec<Argument>, Malformed> {
        let mut arguments = Vec::new();
        while !matches!(self.peek(), None | Some('|' | ')' | ']')) {
            arguments.push(self.item()?);
        }
        Ok(arguments)
    }

    fn item(&mut self) -> Result<Argument, Malformed> {
        let name = self.name();
        let mut argument = match self.peek() {
            Some('(' | '[') => self.group()?,
            Some(first) if first.is_ascii_lowercase() => self.value()?,
            Some(_) => self.token()?,
            None => return Err(Malformed(self.rest)),
        };
        self.suffixes(&mut argument)?;
        if let Some(name) = name {
            argument.name = name.to_owned();
        }
        Ok(argument)
    }

    /// The name before an equals sign, if there is one.
    fn name(&mut self) -> Option<&'static str> {
        let end = self.rest.find(|char: char| !(char.is_ascii_lowercase() || "-_/:".contains(char)))?;
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest.strip_prefix('=').filter(|_| end > 0)?;
        Some(name)
    }

    fn value(&mut self) -> Result<Argument, Malformed> {
        let name = self.word(&[' ', ':', '@', '|', '(', ')', '[', ']', '.'])?;
        let (mut kind, mut spec) = (if name == "key" { Kind::Key } else { Kind::String }, None);
        if self.eat(":") {
            let text = self.word(&[' ', '@', '|', '(', ')', '[', ']', '.'])?;
            let digits = text.trim_start_matches(|char: char| !char.is_ascii_digit());
            spec = digits.parse().ok();
            kind = match text.trim_end_matches(digits) {
                "string" => Kind::String,
                "int" => Kind::Integer,
                "double" => Kind::Double,
                "key" => Kind::Key,
                "pattern" => Kind::Pattern,
                "time" => Kind::UnixTime,
                _ => return Err(Malformed(text)),
            };
        }
        if kind == Kind::Key {
            spec = spec.or(Some(self.keys));
            self.keys += 1;
        }
        Ok(Argument { key_spec: spec, ..argument(name, kind) })
    }

    fn token(&mut self) -> Result<Argument, Malformed> {
        let token = if self.eat("\"\"") { "" } else { self.word(&[' ', '@', ')', ']', '.'])? };
        let introduces = |char: char| char == '(' || char.is_ascii_lowercase();
        let follows = self.rest.strip_prefix(' ').and_then(|rest| rest.chars().next());
        if follows.is_some_and(introduces) {
            self.rest = &self.rest[1..];
            return Ok(Argument { token: Some(token), ..self.item()? });
        }
        Ok(Argument { token: Some(token), ..argument(&token.to_ascii_lowercase(), Kind::Token) })
    }

    fn group(&mut self) -> Result<Argument, Malformed> {
        let optional = self.eat("[");
        if !optional && !self.eat("(") {
            return Err(Malformed(self.rest));
        }
        let mut alternatives = vec![self.sequence()?];
        while self.eat("|") {
            alternatives.push(self.sequence()?);
        }
        if !self.eat(if optional { "]" } else { ")" }) {
            return Err(Malformed(self.rest));
        }
        let mut argument = match <[Vec<Argument>; 1]>::try_from(alternatives) {
            Ok([mut arguments]) if optional && arguments.len() == 1 => arguments.remove(0),
            Ok([arguments]) => block(arguments),
            Err(alternatives) => {
                let single = |mut arguments: Vec<Argument>| match arguments.len() {
                    1 => arguments.remove(0),
                    _ => block(arguments),
                };
                container(Kind::OneOf, alternatives.into_iter().map(single).collect())
            }
        };
        argument.optional |= optional;
        if self.eat("...") {
            argument.multiple = true;
            argument.multiple_token = optional && argument.token.is_some() && argument.kind != Kind::Token;
        }
        Ok(argument)
    }

    fn suffixes(&mut self, argument: &mut Argument) -> Result<(), Malformed> {
        argument.multiple |= self.eat("...");
        if self.eat("@") {
            let version = self.word(&[' ', '|', ')', ']'])?;
            let mut parts = version.split('.').map(str::parse);
            match (parts.next(), parts.next(), parts.next()) {
                (Some(Ok(major)), Some(Ok(minor)), Some(Ok(patch))) => {
                    argument.since = Some(v(major, minor, patch));
                }
                _ => return Err(Malformed(version)),
            }
        }
        Ok(())
    }
}

fn argument(name: &str, kind: Kind) -> Argument {
    Argument {
        name: name.to_owned(),
        kind,
        token: None,
        key_spec: None,
        since: None,
        optional: false,
        multiple: false,
        multiple_token: false,
        arguments: Vec::new(),
    }
}

fn block(arguments: Vec<Argument>) -> Argument {
    container(Kind::Block, arguments)
}

/// A container, named after what is inside.
fn container(kind: Kind, arguments: Vec<Argument>) -> Argument {
    let name = arguments.iter().map(|argument| &*argument.name).collect::<Vec<_>>().join("_");
    Argument { arguments, ..argument(&name, kind) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a line means, in short.
    fn shown(arguments: &[Argument]) -> String {
        let show = |argument: &Argument| {
            let mut text = format!("{}:{}", argument.name, argument.kind.name());
            if let Some(token) = argument.token {
                text += &format!("!{token}");
            }
            if let Some(spec) = argument.key_spec {
                text += &format!("#{spec}");
            }
            if let Some(since) = argument.since {
                text += &format!("@{since}");
            }
            let flags = [(argument.optional, '?'), (argument.multiple, '*'), (argument.multiple_token, '+')];
            text.extend(flags.iter().filter(|(set, _)| *set).map(|(_, letter)| letter));
            if !argument.arguments.is_empty() {
                text += &format!("({})", shown(&argument.arguments));
            }
            text
        };
        arguments.iter().map(show).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn lines_mean_arguments() {
        for (line, meaning) in [
            ("", ""),
            ("key value", "key:key#0 value:string"),
            ("destination:key key...", "destination:key#0 key:key#1*"),
            ("[count:int@6.2.0]", "count:integer@6.2.0?"),
            ("condition=[NX | XX]@2.6.12", "condition:oneof@2.6.12?(nx:pure-token!NX xx:pure-token!XX)"),
            ("[GET]", "get:pure-token!GET?"),
            ("change=[CH]", "change:pure-token!CH?"),
            ("[EX seconds:int@2.6.12]", "seconds:integer!EX@2.6.12?"),
            ("[LIMIT (offset:int count:int)]", "offset_count:block!LIMIT?(offset:integer count:integer)"),
            ("(field value)...", "field_value:block*(field:string value:string)"),
            ("[KEYS key...]", "key:key!KEYS#0?*"),
            ("[GET pattern:pattern1]...", "pattern:pattern!GET#1?*+"),
            ("where=(LEFT | RIGHT)", "where:oneof(left:pure-token!LEFT right:pure-token!RIGHT)"),
            ("[ADDR ip:port=address]", "ip:port:string!ADDR?"),
            ("id=(new_id=$ | id)", "id:oneof(new_id:pure-token!$ id:string)"),
            (
                "[COUNT count:int [ANY@6.2.0]]",
                "count_any:block?(count:integer!COUNT any:pure-token!ANY@6.2.0?)",
            ),
            ("[FULL ([COUNT count:int])]", "count:block!FULL?(count:integer!COUNT?)"),
            ("(key | empty=\"\")", "key_empty:oneof(key:key#0 empty:pure-token!)"),
        ] {
            assert_eq!(parse(line).map(|arguments| shown(&arguments)).as_deref(), Ok(meaning), "{line}");
        }
    }

    #[test]
    fn what_means_nothing_is_told() {
        for line in ["[key", "key]", "key:nosuch", "key@6", "a | b", "("] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
