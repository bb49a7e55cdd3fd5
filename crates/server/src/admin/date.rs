//! Wall-clock times as Java writes them, in UTC.

/// `Sat Nov 21 03:35:49 UTC 2026`, as `java.util.Date` is written.
pub(super) fn java_date(wall_ms: i64) -> String {
    const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let Civil { days, year, month, day, time_ms } = Civil::of(wall_ms);
    let weekday = WEEKDAYS[usize::try_from(days.rem_euclid(7)).unwrap_or(0)];
    let month = MONTHS[usize::try_from(month - 1).unwrap_or(0)];
    let (hour, minute, second) = clock(time_ms);
    format!("{weekday} {month} {day:02} {hour:02}:{minute:02}:{second:02} UTC {year}")
}

/// `2026-11-21 03:35:49,123`, as log4j and logback write ISO 8601.
pub(super) fn log_date(wall_ms: i64) -> String {
    let Civil { year, month, day, time_ms, .. } = Civil::of(wall_ms);
    let (hour, minute, second) = clock(time_ms);
    let ms = time_ms % 1000;
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02},{ms:03}")
}

struct Civil {
    /// Since 1970, which began on a Thursday.
    days: i64,
    year: i64,
    /// From 1.
    month: i64,
    /// From 1.
    day: i64,
    /// Since midnight.
    time_ms: i64,
}

const DAY_MS: i64 = 86_400_000;

impl Civil {
    /// Counts years from March, so that the leap day is a year's last, and in eras of 400
    /// years, which all have the same days.
    fn of(wall_ms: i64) -> Self {
        let days = wall_ms.div_euclid(DAY_MS);
        // Days from 0000-03-01 to 1970-01-01.
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let leap_days = day_of_era / 1460 - day_of_era / 36_524 + day_of_era / 146_096;
        let year_of_era = (day_of_era - leap_days) / 365;
        let before_year = 365 * year_of_era + year_of_era / 4 - year_of_era / 100;
        let day_of_year = day_of_era - before_year;
        // Months of 30.6 days, from March.
        let from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * from_march + 2) / 5 + 1;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        let year = era * 400 + year_of_era + i64::from(month <= 2);
        Self { days, year, month, day, time_ms: wall_ms.rem_euclid(DAY_MS) }
    }
}

const fn clock(time_ms: i64) -> (i64, i64, i64) {
    let seconds = time_ms / 1000;
    (seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Times and their texts by GNU date.
    #[test]
    fn dates() {
        for (seconds, text) in [
            (0, "Thu Jan 01 00:00:00 UTC 1970"),
            (-1, "Wed Dec 31 23:59:59 UTC 1969"),
            (951_782_399, "Mon Feb 28 23:59:59 UTC 2000"),
            (951_782_400, "Tue Feb 29 00:00:00 UTC 2000"),
            (951_868_800, "Wed Mar 01 00:00:00 UTC 2000"),
            (1_795_232_149, "Sat Nov 21 03:35:49 UTC 2026"),
            (4_107_542_400, "Mon Mar 01 00:00:00 UTC 2100"),
        ] {
            assert_eq!(java_date(seconds * 1000), text);
        }
        assert_eq!(log_date(1_795_232_149_007), "2026-11-21 03:35:49,007");
    }
}
