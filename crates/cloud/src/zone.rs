//! The availability zones of the region.

/// An availability zone. All of them are this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// What requests of DCS v1.0 name it by.
    pub id: String,
    /// What requests of later versions name it by, such as `my-kualalumpur-1a`.
    pub code: String,
    /// What people call it.
    pub name: String,
    /// The port number that the zone reports; nothing listens there.
    pub port: u16,
}

/// The ids are those of the examples in the DCS API Reference, so that its examples work as they stand.
const IDS: [&str; 3] = [
    "ae04cf9d61544df3806a3feeb401b204",
    "d573142f24894ef3bd3664de068b44b0",
    "1d7b939b382c4c3bb3481a8ca10da769",
];

/// The three zones of `region`.
pub fn zones_of(region: &str) -> Vec<Zone> {
    IDS.iter()
        .zip(["a", "b", "c"])
        .zip(8001..)
        .map(|((id, letter), port)| {
            let code = format!("{region}{letter}");
            Zone { id: (*id).to_owned(), name: code.clone(), code, port }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_named_after_the_region() {
        let zones = zones_of("my-kualalumpur-1");
        assert_eq!(zones.len(), IDS.len());
        assert_eq!(zones[1].code, "my-kualalumpur-1b");
        assert_eq!(zones[1].id, IDS[1]);
    }
}
