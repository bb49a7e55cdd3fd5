//! Named steps on the way of a write to disks and to other servers, at which a test build
//! crashes, fails or stalls.
//!
//! The steps are one closed list, [`Point`]. The code says that it comes to one by [`reach`],
//! [`reach_in_task`] or [`pass`]. Without the feature `armed` these are empty functions, and a
//! shipped binary has nothing of them; with it, the points are armed by a file: see `armed`.
//!
//! Which point is reached when, and what must hold after a fault at it, is the business of
//! `compat-tests/tests/fault_points.rs`.

#[cfg(feature = "armed")]
mod armed;
mod point;

use std::io;

pub use point::{Failing, Kind, Point};

/// Names the file that arms points.
pub const FILE_VARIABLE: &str = "ROOKERY_FAULT_POINTS";

/// Arms what the file that [`FILE_VARIABLE`] names says, now and whenever it changes.
#[cfg(feature = "armed")]
pub use armed::follow_file;

/// A step begins that may fail. Blocks the thread for a stall.
///
/// # Errors
/// When the point is armed to fail.
#[inline]
pub fn reach(point: Point) -> io::Result<()> {
    #[cfg(feature = "armed")]
    return armed::reach(point);
    #[cfg(not(feature = "armed"))]
    {
        let _ = point;
        Ok(())
    }
}

/// A step begins that may fail, in a task: a stall lets others run.
///
/// # Errors
/// When the point is armed to fail.
#[inline]
pub async fn reach_in_task(point: Point) -> io::Result<()> {
    #[cfg(feature = "armed")]
    return armed::reach_in_task(point).await;
    #[cfg(not(feature = "armed"))]
    {
        let _ = point;
        Ok(())
    }
}

/// A step begins that cannot fail. Blocks the thread for a stall.
#[inline]
pub fn pass(point: Point) {
    #[cfg(feature = "armed")]
    armed::pass(point);
    #[cfg(not(feature = "armed"))]
    let _ = point;
}
