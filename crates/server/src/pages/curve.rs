//! Sites that are back, drawn over time, with the forecast of the rest as a band.

use askama::Template;
use engine::Millis;

use crate::live::Snapshot;

/// The drawing's size, in its own units.
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 160.0;

/// The drawing.
#[derive(Template)]
#[template(path = "parts/curve.html")]
pub(super) struct Curve {
    /// Corners of the line.
    line: String,
    /// Corners of the band between an early and a late end; empty without a forecast.
    band: String,
    /// The likeliest way to the end; empty without a forecast.
    ahead: String,
    begin: String,
    end: String,
    sites: u32,
    label: String,
}

impl Curve {
    /// `None` before the run has begun.
    pub(super) fn of(seen: &Snapshot) -> Option<Self> {
        let (&(begin, _), &(now, back)) = (seen.curve.first()?, seen.curve.last()?);
        let sites = seen.sites.given;
        let rest = seen
            .forecast
            .as_ref()
            .map(|rest| [rest.p10_s, rest.p50_s, rest.p90_s].map(|s| now + (s * 1000.0) as Millis));
        let end = rest.map_or(now, |[.., late]| late).max(begin + 1);
        let x = |at: Millis| (at - begin) as f64 / (end - begin) as f64 * WIDTH;
        let y = |sites_back: u32| HEIGHT - f64::from(sites_back) / f64::from(sites.max(1)) * HEIGHT;
        let corner = |at: Millis, back: u32| format!("{:.1},{:.1}", x(at), y(back));
        let line: Vec<String> = seen.curve.iter().map(|&(at, back)| corner(at, back)).collect();
        let from = corner(now, back);
        let (band, ahead) = match rest {
            Some([early, likely, late]) => (
                format!("{from} {} {}", corner(early, sites), corner(late, sites)),
                format!("{from} {}", corner(likely, sites)),
            ),
            None => (String::new(), String::new()),
        };
        let mut label = format!("{back} of {sites} sites were back at {}", report::clock(now));
        if let Some([early, _, late]) = rest {
            label.push_str(&format!(
                "; the rest is forecast between {} and {}",
                report::clock(early),
                report::clock(late)
            ));
        }
        Some(Self {
            line: line.join(" "),
            band,
            ahead,
            begin: report::clock(begin),
            end: report::clock(end),
            sites,
            label,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::Sites;

    #[test]
    fn the_line_ends_where_the_run_stands_and_no_forecast_draws_no_band() {
        let sites = Sites { given: 10, returned: 5, ..Sites::default() };
        let seen = Snapshot { curve: vec![(0, 0), (1_000, 2), (2_000, 5)], sites, ..Snapshot::default() };
        let curve = Curve::of(&seen).expect("it has begun");
        assert_eq!(curve.line, "0.0,160.0 500.0,128.0 1000.0,80.0");
        assert_eq!((curve.band.as_str(), curve.ahead.as_str()), ("", ""));
        assert!(Curve::of(&Snapshot::default()).is_none());
    }

    #[test]
    fn a_run_of_one_moment_has_no_infinite_corners() {
        let seen = Snapshot { curve: vec![(5, 0), (5, 0)], ..Snapshot::default() };
        assert_eq!(Curve::of(&seen).expect("it has begun").line, "0.0,160.0 0.0,160.0");
    }
}
