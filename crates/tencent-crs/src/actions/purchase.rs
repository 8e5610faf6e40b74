//! What can be bought: the checks that a price and an order have in common.

use operation::schema::{Field, Need};
use operation::{ErrorCode, Failure};

use crate::action::Request;
use crate::catalogue::{self, MEM_STEP_MB, Offer, PERIODS, Type};
use crate::code;
use crate::crs::Crs;
use crate::delivery::PROJECT;
use crate::field::{number, unsigned};

/// What is bought.
pub(super) struct Purchase {
    pub(super) offer: &'static Offer,
    pub(super) mem_mb: u32,
    pub(super) num: u32,
    pub(super) months: u32,
}

/// The parameters that name it.
pub(super) const PURCHASE: &[Field] = &[
    unsigned("zoneId", Need::Required, &code::PARAMETER, "The id of the zone."),
    unsigned(
        "typeId",
        Need::Required,
        &code::PARAMETER,
        "The type: 1 for a cluster, 2 for a standalone instance.",
    ),
    unsigned("memSize", Need::Required, &code::PARAMETER, "The capacity in MB, a multiple of 1024."),
    unsigned("goodsNum", Need::Required, &code::PARAMETER, "How many instances."),
    PERIOD,
];

/// The parameter that says for how long.
pub(super) const PERIOD: Field =
    number("period", Need::Required, &code::PARAMETER, "For how many months: 1 to 12, 24 or 36.");

/// What is wrong with what cannot be bought.
pub(super) const PURCHASE_ERRORS: &[&ErrorCode] = &[
    &code::NO_REDIS_SERVICE,
    &code::NO_TYPE_ID_REDIS_SERVICE,
    &code::INVALID_TYPE,
    &code::INVALID_MEM_SIZE,
    &code::MEM_SIZE_NOT_IN_RANGE,
    &code::PERIOD_EXCEEDS,
    &code::PERIOD_TOO_SHORT,
    &code::GOODS_NUM_NOT_IN_RANGE,
];

/// What a request is about, if it can be bought. The first rule that is broken, in the order of the document, decides.
pub(super) fn purchase(request: &Request<'_>) -> Result<Purchase, Failure> {
    let zone_id = request.integer("zoneId");
    if catalogue::offers_in(zone_id).next().is_none() {
        return Err((&code::NO_REDIS_SERVICE).into());
    }
    let kind = Type::of(request.integer("typeId")).ok_or(&code::INVALID_TYPE)?;
    let offer = catalogue::offers_in(zone_id).find(|offer| offer.kind == kind);
    let offer = offer.ok_or(&code::NO_TYPE_ID_REDIS_SERVICE)?;
    let mem_mb = mem_size(request, offer)?;
    let months = period(request)?;
    let num = u32::try_from(request.integer("goodsNum")).unwrap_or(0);
    if !(offer.min_num..=offer.max_num).contains(&num) {
        return Err((&code::GOODS_NUM_NOT_IN_RANGE).into());
    }
    Ok(Purchase { offer, mem_mb, num, months })
}

/// Sees that the quota leaves room for so many more instances and for so much more memory.
pub(super) fn see_that_there_is_room(crs: &Crs, instances: u32, memory_mb: u64) -> Result<(), Failure> {
    let (quota, usage) = crs.cloud.quota(PROJECT);
    let fits = usage.instances + instances <= quota.instances
        && usage.memory_mb + memory_mb <= u64::from(quota.memory_gb) * 1024;
    if fits { Ok(()) } else { Err((&code::QUOTA).into()) }
}

/// The capacity that is asked for, in MB.
pub(super) fn mem_size(request: &Request<'_>, offer: &Offer) -> Result<u32, Failure> {
    let mem_mb = u32::try_from(request.integer("memSize")).unwrap_or(0);
    if !mem_mb.is_multiple_of(MEM_STEP_MB) {
        return Err((&code::INVALID_MEM_SIZE).into());
    }
    if !(offer.min_mem_mb..=offer.max_mem_mb).contains(&mem_mb) {
        return Err((&code::MEM_SIZE_NOT_IN_RANGE).into());
    }
    Ok(mem_mb)
}

/// The number of months that is asked for. What lies between two that are sold is no value of this parameter.
pub(super) fn period(request: &Request<'_>) -> Result<u32, Failure> {
    let asked = request.integer("period");
    let found = PERIODS.iter().find(|months| i64::from(**months) == asked);
    found.copied().ok_or_else(|| {
        if asked < 1 {
            (&code::PERIOD_TOO_SHORT).into()
        } else if asked > i64::from(PERIODS[PERIODS.len() - 1]) {
            (&code::PERIOD_EXCEEDS).into()
        } else {
            code::PARAMETER.of("period")
        }
    })
}
