//! The numbers by which this cloud knows accounts, users and networks. They follow from names, so they are the same after
//! every restart and need no record.

use cloud::identity::{Directory, Named, User};

use crate::lease::Place;

/// The account's number.
pub(crate) fn app_id(directory: &Directory) -> String {
    format!("125{:07}", digits(&directory.domain.id, 10_000_000))
}

/// A user's number.
pub(crate) fn uin(user: &User) -> String {
    format!("3{:09}", digits(&user.named.id, 1_000_000_000))
}

/// A place in a virtual private cloud, each part of which is named by its number or its id.
pub(crate) fn place(vpc: (u32, &str), subnet: (u32, &str)) -> Place {
    let (vpc_id, un_vpc_id) = both("vpc", vpc);
    let (subnet_id, un_subnet_id) = both("subnet", subnet);
    Place { vpc_id, un_vpc_id, subnet_id, un_subnet_id }
}

/// The number and the id of a thing of which one is known.
fn both(what: &str, (number, id): (u32, &str)) -> (u32, String) {
    match (number, id) {
        (0, "") => (0, String::new()),
        (0, id) => (1 + digits(&Named::derived(what, &[id]).id, 99_999), id.to_owned()),
        (number, "") => {
            let derived = Named::derived(what, &[&number.to_string()]).id;
            (number, format!("{what}-{}", &derived[..8]))
        }
        (number, id) => (number, id.to_owned()),
    }
}

/// A number below `limit` that follows from an id of hexadecimal digits.
fn digits(id: &str, limit: u32) -> u32 {
    u32::from_str_radix(id.get(..8).unwrap_or_default(), 16).unwrap_or_default() % limit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_by_one_name_has_both() {
        assert_eq!(place((0, ""), (0, "")), Place::default());
        let by_id = place((0, "vpc-kd7d06of"), (0, "subnet-3lzkspo0"));
        assert!(by_id.vpc_id > 0 && by_id.subnet_id > 0);
        assert_eq!(by_id, place((0, "vpc-kd7d06of"), (0, "subnet-3lzkspo0")));
        let by_number = place((4864, ""), (14_158, ""));
        assert_eq!((by_number.vpc_id, by_number.subnet_id), (4864, 14_158));
        assert!(by_number.un_vpc_id.starts_with("vpc-") && by_number.un_subnet_id.starts_with("subnet-"));
        assert_eq!(place((1, "vpc-a"), (2, "subnet-b")).un_vpc_id, "vpc-a");
    }
}
