//! Every recipe of Curator: a library, so that the driver is all there is.

use super::java::Java;
use super::{Cast, Scene, SystemError};

/// Fetches Curator.
pub(super) fn prepare(scene: &Scene) -> Result<Cast, SystemError> {
    let java = Java::prepare(scene, "curator", "curator-5.9.0")?;
    let log = "-Dorg.slf4j.simpleLogger.defaultLogLevel=error".to_owned();
    let mut driver = java.jvm("256m", &[log]);
    driver.args(["systems.Curator", &scene.connect]);
    Ok(Cast { parts: Vec::new(), driver })
}
