//! Whether the server that judges who fell silent could hear anybody.
//!
//! One that stood still (its process was stopped, its machine moved or swapped) and one that
//! was cut off from the others heard nobody meanwhile: what clients and servers said waits in
//! its queues, or went to another leader. So that silence says nothing, and everybody gets a
//! full timeout again, as when a leader begins.
//!
//! A busy machine is no standstill: what came late by less than a tick is judged as of when it
//! was due.

/// Watches over the one who judges, who asks once a tick.
#[derive(Debug)]
pub struct Vigil {
    tick_ms: u64,
    looked_ms: u64,
    /// It could not hear everybody since sessions had their last full timeout.
    missed: bool,
}

/// What one may conclude from silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// Who was silent for its whole timeout by then has expired.
    Until {
        /// In monotonic milliseconds.
        now_ms: u64,
    },
    /// Nothing: the others cannot be heard.
    Blind,
    /// Nothing either, but it can be heard again: everybody gets a full timeout from now.
    Again,
}

impl Vigil {
    /// Begins at `now_ms`, in monotonic milliseconds; the first look is due at once.
    pub const fn new(tick_ms: u64, now_ms: u64) -> Self {
        Self { tick_ms, looked_ms: now_ms, missed: false }
    }

    /// Looks, one tick after the last time if that can be had. `in_touch`: whether the others,
    /// if there are any, can be heard.
    pub fn look(&mut self, now_ms: u64, in_touch: bool) -> Sight {
        let due_ms = self.looked_ms.saturating_add(self.tick_ms);
        let late_ms = now_ms.saturating_sub(due_ms);
        self.looked_ms = now_ms;
        self.missed |= late_ms > self.tick_ms || !in_touch;
        if !in_touch {
            return Sight::Blind;
        }
        if std::mem::take(&mut self.missed) {
            return Sight::Again;
        }
        Sight::Until { now_ms: now_ms - late_ms }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: u64 = 1000;

    fn until(now_ms: u64) -> Sight {
        Sight::Until { now_ms }
    }

    #[test]
    fn who_looks_every_tick_sees_all() {
        let mut vigil = Vigil::new(TICK, 5000);
        // The first tick comes at once.
        for now_ms in [5000, 6000, 7001] {
            assert_eq!(vigil.look(now_ms, true), until(now_ms.min(7000)));
        }
    }

    #[test]
    fn a_busy_machine_is_no_standstill_and_judges_as_of_when_it_was_due() {
        let mut vigil = Vigil::new(TICK, 0);
        let mut now_ms = 0;
        for late_ms in [400, 1000, 0, 999] {
            let due_ms = now_ms + TICK;
            now_ms = due_ms + late_ms;
            assert_eq!(vigil.look(now_ms, true), until(due_ms), "{late_ms} ms late");
        }
    }

    #[test]
    fn who_stood_still_gives_everybody_a_full_timeout_once() {
        let mut vigil = Vigil::new(TICK, 0);
        assert_eq!(vigil.look(2001, true), Sight::Again);
        assert_eq!(vigil.look(3001, true), until(3001));
        assert_eq!(vigil.look(20_000, false), Sight::Blind);
        assert_eq!(vigil.look(21_000, true), Sight::Again);
        assert_eq!(vigil.look(22_000, true), until(22_000));
    }

    #[test]
    fn who_is_cut_off_judges_nobody_until_it_has_heard_them_again() {
        let mut vigil = Vigil::new(TICK, 0);
        assert_eq!(vigil.look(1000, false), Sight::Blind);
        assert_eq!(vigil.look(2000, false), Sight::Blind);
        assert_eq!(vigil.look(3000, true), Sight::Again);
        assert_eq!(vigil.look(4000, true), until(4000));
    }
}
