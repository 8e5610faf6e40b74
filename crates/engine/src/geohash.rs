//! Places on the map as numbers that are close where the places are close.
//!
//! The map is cut in halves again and again, east from west and north from south in turn; the answers are the bits of a
//! [`Cell`]. A place's score in a sorted set is its cell after 26 cuts each way: 52 bits, which a double holds. Places
//! near a place are those in its cell, and in the eight around it, of a size that fits: see [`Area::cells`].
//!
//! All figures are computed as Redis computes them, operation by operation: results agree to the last digit.

use command::{Release, v};
use std::f64::consts::PI;
use std::ops::Range;

/// Cuts each way of a place's cell.
const STEPS: u32 = 26;
/// The radius of the globe, in metres.
const EARTH_M: f64 = 6_372_797.560856;
/// Half of the equator on the map, in metres.
const MERCATOR_M: f64 = 20_037_726.37;
/// The map, and the globe as strings of letters divide it.
const MAP: Bounds = Bounds { west: -180.0, south: -85.05112878, east: 180.0, north: 85.05112878 };
const GLOBE: Bounds = Bounds { south: -90.0, north: 90.0, ..MAP };

/// A place, in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// East is positive.
    pub longitude: f64,
    /// North is positive.
    pub latitude: f64,
}

/// A part of the map, in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Bounds {
    west: f64,
    south: f64,
    east: f64,
    north: f64,
}

/// One of the equal parts of the map after some cuts each way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// How many cells are west of it.
    x: u32,
    /// How many cells are south of it.
    y: u32,
    /// Cuts each way.
    steps: u32,
}

impl Place {
    /// Whether the place is on the map.
    pub fn is_on_map(&self) -> bool {
        (MAP.west..=MAP.east).contains(&self.longitude) && (MAP.south..=MAP.north).contains(&self.latitude)
    }

    /// The place's score in a sorted set.
    pub fn score(&self) -> f64 {
        Cell::of(self, STEPS, &MAP).bits() as f64
    }

    /// The middle of the cell that a score stands for.
    pub fn of_score(score: f64) -> Place {
        let Bounds { west, south, east, north } = Cell::from_bits(bits(score), STEPS).bounds();
        Place {
            longitude: f64::midpoint(west, east).clamp(MAP.west, MAP.east),
            latitude: f64::midpoint(south, north).clamp(MAP.south, MAP.north),
        }
    }

    /// The place as eleven letters, as they are in use elsewhere; the last one stands for bits that are not there.
    pub fn letters(&self) -> [u8; 11] {
        const ALPHABET: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";
        let bits = Cell::of(self, STEPS, &GLOBE).bits();
        let mut letters = [ALPHABET[0]; 11];
        for (index, letter) in letters[..10].iter_mut().enumerate() {
            *letter = ALPHABET[(bits >> (47 - 5 * index)) as usize & 31];
        }
        letters
    }

    /// The distance between two places along the globe, in metres. From 7.0.6 on that between places of the same
    /// longitude is computed in a simpler way.
    pub fn distance_m(&self, other: &Place, release: Release) -> f64 {
        let half_sine = |from: f64, to: f64| ((to - from) / 2.0).sin();
        let east = half_sine(self.longitude.to_radians(), other.longitude.to_radians());
        let (own, theirs) = (self.latitude.to_radians(), other.latitude.to_radians());
        if east == 0.0 && release.has(v(7, 0, 6)) {
            return EARTH_M * (theirs - own).abs();
        }
        let north = half_sine(own, theirs);
        let square = north * north + own.cos() * theirs.cos() * east * east;
        2.0 * EARTH_M * square.sqrt().asin()
    }
}

/// An angle in degrees: Rust's own function multiplies where C programs divide.
fn degrees(radians: f64) -> f64 {
    radians / (PI / 180.0)
}

/// The bits of a score, whatever it is, as a conversion by the processor gives them.
fn bits(score: f64) -> u64 {
    const TOP: f64 = 9_223_372_036_854_775_808.0;
    // What is out of range becomes the least number, which such a conversion gives instead.
    let integer = |value: f64| if (-TOP..TOP).contains(&value) { value as i64 } else { i64::MIN };
    if score < TOP { integer(score) as u64 } else { integer(score - TOP) as u64 ^ 1 << 63 }
}

impl Cell {
    /// The cell of a place in some bounds.
    fn of(place: &Place, steps: u32, bounds: &Bounds) -> Cell {
        let Bounds { west, south, east, north } = bounds;
        let cells = (1u64 << steps) as f64;
        let x = (place.longitude - west) / (east - west) * cells;
        let y = (place.latitude - south) / (north - south) * cells;
        Cell { x: x as u32, y: y as u32, steps }
    }

    fn from_bits(bits: u64, steps: u32) -> Cell {
        Cell { x: gathered(bits >> 1), y: gathered(bits), steps }
    }

    /// The bits of `x` and `y` in turn.
    fn bits(self) -> u64 {
        spread(self.x) << 1 | spread(self.y)
    }

    /// The scores of the places in the cell.
    pub fn scores(self) -> Range<f64> {
        let (bits, shift) = (self.bits(), 2 * (STEPS - self.steps));
        (bits << shift) as f64..((bits + 1) << shift) as f64
    }

    /// Where the cell is on the map.
    fn bounds(self) -> Bounds {
        let cells = (1u64 << self.steps) as f64;
        let x = |x: u32| MAP.west + f64::from(x) / cells * (MAP.east - MAP.west);
        let y = |y: u32| MAP.south + f64::from(y) / cells * (MAP.north - MAP.south);
        Bounds {
            west: x(self.x),
            south: y(self.y),
            east: x(self.x.wrapping_add(1)),
            north: y(self.y.wrapping_add(1)),
        }
    }

    /// The cell so many to the east and to the north; the map's edges are next to each other.
    fn beside(self, east: i32, north: i32) -> Cell {
        let mask = ((1u64 << self.steps) - 1) as u32;
        let moved = |from: u32, by: i32| if by == 0 { from } else { from.wrapping_add_signed(by) & mask };
        Cell { x: moved(self.x, east), y: moved(self.y, north), ..self }
    }
}

/// Puts a zero before each bit.
fn spread(bits: u32) -> u64 {
    let mut bits = u64::from(bits);
    bits = (bits | bits << 16) & 0x0000_FFFF_0000_FFFF;
    bits = (bits | bits << 8) & 0x00FF_00FF_00FF_00FF;
    bits = (bits | bits << 4) & 0x0F0F_0F0F_0F0F_0F0F;
    bits = (bits | bits << 2) & 0x3333_3333_3333_3333;
    (bits | bits << 1) & 0x5555_5555_5555_5555
}

/// Every second bit, from the lowest on.
fn gathered(bits: u64) -> u32 {
    let mut bits = bits & 0x5555_5555_5555_5555;
    bits = (bits | bits >> 1) & 0x3333_3333_3333_3333;
    bits = (bits | bits >> 2) & 0x0F0F_0F0F_0F0F_0F0F;
    bits = (bits | bits >> 4) & 0x00FF_00FF_00FF_00FF;
    bits = (bits | bits >> 8) & 0x0000_FFFF_0000_FFFF;
    (bits | bits >> 16) as u32
}

/// How far to search, in some unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    /// Up to a distance.
    Circle {
        /// The distance.
        radius: f64,
    },
    /// Up to half of the width to the east and west, and half of the height to the north and south.
    Box {
        /// From west to east.
        width: f64,
        /// From south to north.
        height: f64,
    },
}

/// The surroundings of a place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Area {
    /// The place.
    pub center: Place,
    /// How far they go.
    pub shape: Shape,
    /// The unit of that, in metres.
    pub unit_m: f64,
}

impl Area {
    /// The distance of a place from the centre, in metres, if it is in the area.
    pub fn distance_m(&self, place: &Place, release: Release) -> Option<f64> {
        let distance_m = || self.center.distance_m(place, release);
        match self.shape {
            Shape::Circle { radius } => Some(distance_m()).filter(|&found| found <= radius * self.unit_m),
            Shape::Box { width, height } => {
                let Place { longitude, latitude } = self.center;
                let north_m = place.distance_m(&Place { latitude, ..*place }, release);
                let east_m = || place.distance_m(&Place { longitude, ..*place }, release);
                let is_inside =
                    north_m <= height * self.unit_m / 2.0 && east_m() <= width * self.unit_m / 2.0;
                is_inside.then(distance_m)
            }
        }
    }

    /// The cells that hold the whole area, in the order in which they are searched. At a low number of cuts a cell may
    /// come twice.
    pub fn cells(&self, release: Release) -> impl Iterator<Item = Cell> {
        let bounds = self.bounds(release);
        let radius_m = self.radius_m();
        let mut steps = steps(radius_m, self.center.latitude);
        let mut cell = Cell::of(&self.center, steps, &MAP);
        if steps > 1 && self.exceeds(cell, &bounds, radius_m, release) {
            steps -= 1;
            cell = Cell::of(&self.center, steps, &MAP);
        }
        let own = cell.bounds();
        // Where the cell itself reaches as far as the area, those beyond it are not needed.
        let is_needed = move |&(east, north): &(i32, i32)| {
            steps < 2
                || !(north < 0 && own.south < bounds.south
                    || north > 0 && own.north > bounds.north
                    || east < 0 && own.west < bounds.west
                    || east > 0 && own.east > bounds.east)
        };
        let around = [(0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1)];
        let mut last = None;
        let around = around.into_iter().filter(is_needed).map(move |(east, north)| cell.beside(east, north));
        // Opposite neighbours are the same cell where there are few.
        let around = around.filter(move |beside| last.replace(*beside) != Some(*beside));
        std::iter::once(cell).chain(around)
    }

    /// The distance from the centre to the farthest place, in metres.
    fn radius_m(&self) -> f64 {
        match self.shape {
            Shape::Circle { radius } => radius * self.unit_m,
            Shape::Box { width, height } => {
                (width / 2.0 * (width / 2.0) + height / 2.0 * (height / 2.0)).sqrt() * self.unit_m
            }
        }
    }

    /// What the area reaches, on the map. Before 6.2 the map's scale at the centre was taken for that of the whole area.
    fn bounds(&self, release: Release) -> Bounds {
        let (width_m, height_m) = match self.shape {
            Shape::Circle { radius } => (self.unit_m * radius, self.unit_m * radius),
            Shape::Box { width, height } => (self.unit_m * (width / 2.0), self.unit_m * (height / 2.0)),
        };
        let Place { longitude, latitude } = self.center;
        let north = degrees(height_m / EARTH_M);
        let east_at = |latitude: f64| degrees(width_m / EARTH_M / latitude.to_radians().cos());
        let east = if !release.has(v(6, 2, 0)) {
            east_at(latitude)
        } else if latitude < 0.0 {
            east_at(latitude - north)
        } else {
            east_at(latitude + north)
        };
        Bounds {
            west: longitude - east,
            south: latitude - north,
            east: longitude + east,
            north: latitude + north,
        }
    }

    /// Whether the area reaches beyond the cells around this one, which is that of its centre. Releases before 6.2.7
    /// measure the way to the edges of those cells.
    fn exceeds(&self, cell: Cell, bounds: &Bounds, radius_m: f64, release: Release) -> bool {
        let north = cell.beside(0, 1).bounds().north;
        let south = cell.beside(0, -1).bounds().south;
        let east = cell.beside(1, 0).bounds().east;
        let west = cell.beside(-1, 0).bounds().west;
        if release.has(v(6, 2, 7)) {
            return north < bounds.north || south > bounds.south || east < bounds.east || west > bounds.west;
        }
        let center = self.center;
        let is_near = |edge: Place| center.distance_m(&edge, release) < radius_m;
        is_near(Place { latitude: north, ..center })
            || is_near(Place { latitude: south, ..center })
            || is_near(Place { longitude: east, ..center })
            || is_near(Place { longitude: west, ..center })
    }
}

/// Into how many cells each way the map is cut so that a cell and its neighbours are likely to hold a circle.
fn steps(radius_m: f64, latitude: f64) -> u32 {
    if radius_m == 0.0 {
        return STEPS;
    }
    let (mut radius_m, mut steps) = (radius_m, 1);
    while radius_m < MERCATOR_M {
        radius_m *= 2.0;
        steps += 1;
    }
    // Towards the poles the map is larger than the globe.
    let stretched = i32::from(latitude.abs() > 66.0) + i32::from(latitude.abs() > 80.0);
    (steps - 2 - stretched).clamp(1, STEPS as i32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const PALERMO: Place = Place { longitude: 13.361389, latitude: 38.115556 };
    const CATANIA: Place = Place { longitude: 15.087269, latitude: 37.502669 };

    #[test]
    fn places_have_the_scores_of_redis() {
        assert_eq!(PALERMO.score(), 3_479_099_956_230_698.0);
        assert_eq!(CATANIA.score(), 3_479_447_370_796_909.0);
        let palermo = Place::of_score(PALERMO.score());
        assert_eq!(palermo, Place { longitude: 13.361389338970184, latitude: 38.1155563954963 });
        assert_eq!(&palermo.letters(), b"sqc8b49rny0");
        let corner = Place { longitude: 180.0, latitude: MAP.north };
        assert_eq!(Place::of_score(corner.score()), corner);
    }

    #[test]
    fn distances_are_those_of_redis() {
        let [palermo, catania] = [PALERMO, CATANIA].map(|place| Place::of_score(place.score()));
        let distance_m = palermo.distance_m(&catania, Release::V7_0);
        assert!((distance_m - 166_274.151_6).abs() < 0.0001, "{distance_m}");
        let north = Place { latitude: 10.0, ..palermo };
        let apart = palermo.distance_m(&north, Release::V7_4) - palermo.distance_m(&north, Release::V5_0);
        assert!(apart.abs() < 1e-6, "{apart}");
    }

    #[test]
    fn bits_of_a_cell_come_back() {
        for (x, y) in [(0, 0), (1, 0), (0, 1), (u32::MAX, 0), (12_345, 67_890_123), (u32::MAX, u32::MAX)] {
            let cell = Cell { x, y, steps: STEPS };
            assert_eq!(Cell::from_bits(cell.bits(), STEPS), cell);
        }
    }

    #[test]
    fn any_score_has_bits() {
        for (score, want) in [
            (0.0, 0),
            (1.9, 1),
            (-1.0, u64::MAX),
            (1e19, 10_000_000_000_000_000_000),
            (f64::INFINITY, 0),
            (f64::NEG_INFINITY, 1 << 63),
        ] {
            assert_eq!(bits(score), want, "{score}");
            assert!(Place::of_score(score).is_on_map());
        }
    }

    #[test]
    fn every_place_of_an_area_is_in_its_cells() {
        let mut state = 1u64;
        let mut draw = |limit: f64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1u64 << 53) as f64 * 2.0 * limit - limit
        };
        for _ in 0..2_000 {
            let center = Place { longitude: draw(100.0), latitude: draw(60.0) };
            let place =
                Place { longitude: center.longitude + draw(2.0), latitude: center.latitude + draw(2.0) };
            let radius = draw(150.0).abs();
            for shape in [Shape::Circle { radius }, Shape::Box { width: radius, height: 3.0 * radius }] {
                let area = Area { center, shape, unit_m: 1000.0 };
                if area.distance_m(&place, Release::V7_4).is_some() {
                    let score = place.score();
                    assert!(
                        area.cells(Release::V7_4).any(|cell| cell.scores().contains(&score)),
                        "{area:?} {place:?}"
                    );
                }
            }
        }
    }
}
