//! Libraries of functions, which are carried along until something can run them: as an append-only file has them.
//!
//! A file of keys has them as they are ([`rdb::Library`]); a file of commands has `FUNCTION LOAD`, `RESTORE`, `DELETE` and
//! `FLUSH`.
//!
//! Not here: `FUNCTION` for clients, and in the stream of a master.

use crate::Node;
use crate::parse::is_word;
use command::Release;
use rdb::Library;
use resp::{Args, Reply};
use std::io::{self, Write};

/// What a command of an append-only file says of libraries is done; whether it is about them.
pub(crate) fn replay(node: &Node, args: Args) -> bool {
    if node.release < Release::V7_0 || args.len() < 2 || !is_word(args.at(0), "function") {
        return false;
    }
    let mut libraries = node.libraries.lock();
    match (args.at(1), args.get(2)) {
        (word, Some(_)) if is_word(word, "load") => {
            let code = args.at(args.len() - 1);
            let own = name(code);
            libraries.retain(|library| own.is_none() || name(&library.code) != own);
            libraries.push(Library { code: code.to_vec().into(), early: None });
        }
        (word, Some(gone)) if is_word(word, "delete") => {
            libraries.retain(|library| name(&library.code) != Some(gone));
        }
        (word, Some(payload)) if is_word(word, "restore") => {
            let is_read = |version| version <= crate::save::version(node.release);
            let opened = rdb::payload::open(payload, is_read).ok();
            let Some(restored) = opened.and_then(|(bytes, _)| rdb::libraries(bytes)) else { return false };
            if args.get(3).is_some_and(|policy| is_word(policy, "flush")) {
                libraries.clear();
            }
            for library in restored {
                let own = name(&library.code);
                libraries.retain(|library| own.is_none() || name(&library.code) != own);
                libraries.push(library.into_owned());
            }
        }
        (word, _) if is_word(word, "flush") => libraries.clear(),
        _ => return false,
    }
    true
}

/// Writes commands that make the libraries of a node. Those of candidates of 7.0 no command makes.
pub(crate) fn write(node: &Node, to: &mut impl Write) -> io::Result<()> {
    let mut request = Reply::default();
    for library in node.libraries.lock().iter().filter(|library| library.early.is_none()) {
        request.array(3);
        [&b"FUNCTION"[..], b"LOAD", &library.code].into_iter().for_each(|word| request.bulk(word));
    }
    to.write_all(request.bytes())
}

/// What a library is called: its first line says it, as `#!lua name=...`.
fn name(code: &[u8]) -> Option<&[u8]> {
    let line = code.split(|&byte| byte == b'\n').next()?.strip_prefix(b"#!")?;
    line.split(u8::is_ascii_whitespace).find_map(|word| word.strip_prefix(b"name="))
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn the_first_line_names_a_library() {
        assert_eq!(name(b"#!lua name=lib\nredis.log('name=other')"), Some(&b"lib"[..]));
        assert_eq!(name(b"#!lua  name=lib\r\n"), Some(&b"lib"[..]));
        assert_eq!(name(b"#!lua\nname=lib"), None);
        assert_eq!(name(b"return 1"), None);
    }
}
