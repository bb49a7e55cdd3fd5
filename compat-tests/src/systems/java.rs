//! Systems in Java: their jars, and drivers compiled against them.

use std::process::Command;

use super::{Scene, SystemError};
use crate::prerequisites;

/// A class path and the drivers that are compiled against it.
#[derive(Debug)]
pub(super) struct Java {
    class_path: String,
}

impl Java {
    /// Fetches the jars of the system's `pom.xml` into a folder of the cache, and compiles its
    /// driver and what all drivers share.
    pub(super) fn prepare(scene: &Scene, system: &str, cached: &str) -> Result<Self, SystemError> {
        let sources = scene.sources(system);
        let jars = prerequisites::fetch_jars(&sources.join("pom.xml"), cached)?;
        let jars = jars.join("*").display().to_string();
        let classes = scene.dir.join("classes");
        prerequisites::compile_java_folders(&[scene.sources("java"), sources], &jars, &classes)?;
        Ok(Self { class_path: format!("{}:{jars}", classes.display()) })
    }

    /// A JVM that is small and starts fast. The caller adds the class and its arguments.
    pub(super) fn jvm(&self, heap: &str, properties: &[String]) -> Command {
        let mut command = prerequisites::jdk("java");
        command.arg(format!("-Xmx{heap}"));
        command.args(["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]).args(properties);
        command.arg("-cp").arg(&self.class_path);
        command
    }
}
