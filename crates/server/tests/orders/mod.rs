//! Orders of nodes that listen at a port which the system chooses.

use command::Release;
use server::Order;
use std::path::PathBuf;
use std::sync::Arc;

/// A node of a release with these parameters, which keeps its files in a directory if there is one.
pub(crate) fn order_of(release: Release, directory: Option<PathBuf>, config: &[(&str, &str)]) -> Order {
    let config = config.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Order {
        release,
        address: ([127, 0, 0, 1], 0).into(),
        seed: 7,
        config: config.collect(),
        directory,
        seat: None,
        admission: Arc::default(),
        withheld: &[],
    }
}
