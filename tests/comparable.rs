//! What of replies two servers have to agree about, and how much of it is compared.

use testkit::Reply;
use testkit::sequences::Command;

/// What of a reply can be compared: order, chance and the time of day are left out where the command leaves them open.
pub(crate) fn comparable(command: &Command, reply: Reply) -> Reply {
    let name = String::from_utf8_lossy(&command[0]).to_ascii_uppercase();
    match &*name {
        "SMEMBERS" | "SINTER" | "SUNION" | "SDIFF" | "HKEYS" | "HVALS" | "KEYS" => sorted(reply, 1),
        "SPOP" => sorted(reply, 1),
        // A real server counts the queue of a transaction, too.
        "OBJECT" if command[1].eq_ignore_ascii_case(b"REFCOUNT") => rounded(reply, 1000),
        "HGETALL" => sorted(reply, 2),
        // The key may hold a set, which has no order of its own.
        "SORT" if command.iter().any(|word| word == b"nosort") => {
            sorted(reply, command.iter().filter(|word| *word == b"GET").count().max(1))
        }
        "SCAN" | "SSCAN" | "HSCAN" | "ZSCAN" => match reply {
            Reply::Array(parts) if parts.len() == 2 => {
                let width = if matches!(&*name, "HSCAN" | "ZSCAN") { 2 } else { 1 };
                sorted(parts[1].clone(), width)
            }
            other => other,
        },
        "SRANDMEMBER" | "HRANDFIELD" | "ZRANDMEMBER" | "RANDOMKEY" => match reply {
            Reply::Array(elements) => Reply::Integer(elements.len() as i64),
            Reply::Bulk(_) => Reply::Status(b"something".to_vec()),
            other => other,
        },
        "TTL" | "EXPIRETIME" => rounded(reply, 100),
        "PTTL" | "PEXPIRETIME" => rounded(reply, 100_000),
        "XINFO" | "XPENDING" => without_times(reply),
        _ => reply,
    }
}

/// The elements sorted, by groups of `width`.
fn sorted(reply: Reply, width: usize) -> Reply {
    match reply {
        Reply::Array(elements) if elements.len().is_multiple_of(width) => {
            let mut groups: Vec<Vec<Reply>> = elements.chunks(width).map(<[Reply]>::to_vec).collect();
            groups.sort();
            Reply::Array(groups.concat())
        }
        other => other,
    }
}

/// A time left, without what may have passed between the two servers.
fn rounded(reply: Reply, unit: i64) -> Reply {
    match reply {
        Reply::Integer(value) if value > 0 => Reply::Integer(value.saturating_add(unit / 2) / unit),
        other => other,
    }
}

/// Without idle times.
fn without_times(reply: Reply) -> Reply {
    match reply {
        Reply::Array(elements) => {
            let mut kept = Vec::new();
            let mut skip = false;
            for element in elements {
                let named = matches!(&element, Reply::Bulk(name) if matches!(&name[..],
                    b"idle" | b"inactive" | b"seen-time" | b"active-time"));
                if std::mem::replace(&mut skip, named) {
                    continue;
                }
                kept.push(without_times(element));
            }
            // An entry of a list of pending ones: id, consumer, idle time, deliveries.
            if let [id, consumer @ Reply::Bulk(_), Reply::Integer(_), deliveries @ Reply::Integer(_)] =
                &kept[..]
            {
                return Reply::Array(vec![id.clone(), consumer.clone(), deliveries.clone()]);
            }
            // The same in XINFO STREAM FULL, with a time of delivery.
            if let [id @ Reply::Bulk(_), Reply::Integer(at), deliveries @ Reply::Integer(_)] = &kept[..]
                && *at > 1_000_000_000_000
            {
                return Reply::Array(vec![id.clone(), deliveries.clone()]);
            }
            Reply::Array(kept)
        }
        other => other,
    }
}
