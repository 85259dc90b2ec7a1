//! A conversation on a page: a line for each message, calendars of the days on which something was said, and the addresses of days.
//! For logs of rooms and for people's own archives alike.

use metronome_features::reading::{Part, Reading, Said, said};
use metronome_host::server::Server;
use metronome_model::ArchivedRow;
use metronome_proto::payload::delay::format_time;
use metronome_store::StoreError;

use super::days::{Day, Month, time_of};
use super::html::{Address, Element, el};
use super::look::link;

/// Messages of one page.
const ROWS_MAX: usize = 200;

/// Months that a list shows, from the last one; those before it are reached step by step.
const MONTHS_MAX: usize = 120;

/// Addresses in a message that become links: each is written twice, with more around it than it may have itself.
const LINKS_MAX: usize = 50;

const WEEKDAYS: [&str; 7] = ["Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"];

/// Who said something, as the page names them.
pub(super) type Speaker<'a> = dyn Fn(&ArchivedRow) -> Option<String> + Send + Sync + 'a;

/// The calendar of a month, with links to days on which something was said. `place` is the address of the conversation.
pub(super) async fn calendar(
    server: &Server,
    reading: &Reading,
    place: &Address,
    month: Month,
) -> Result<Element, StoreError> {
    let mut cells: Vec<Element> = Vec::new();
    for day in month.days() {
        if cells.is_empty() {
            cells.extend((0..day.weekday()).map(|_| el("td")));
        }
        let number = day.number().to_string();
        cells.push(match reading.has(server, day.times_ms()).await? {
            true => el("td").child(link(&place.clone().then(&day.to_string()), &number)),
            false => el("td").child(el("span").text(number)),
        });
    }
    let head = el("tr").children(WEEKDAYS.map(|day| el("th").fixed("scope", "col").text(day)));
    let rows = cells.chunks(7).map(|week| el("tr").children(week.iter().cloned()));
    Ok(el("table").child(el("thead").child(head)).child(el("tbody").children(rows)))
}

/// The months from the first to the last in which something was said, the last one first.
pub(super) fn months(place: &Address, (first_ms, last_ms): (u64, u64)) -> Element {
    let (first, mut month) = (Day::of_ms(first_ms).month(), Day::of_ms(last_ms).month());
    let mut items = Vec::new();
    while items.len() < MONTHS_MAX {
        items.push(el("li").child(link(&place.clone().then(&month.to_string()), &month.name())));
        if month <= first || month.previous() == month {
            break;
        }
        month = month.previous();
    }
    el("ul").children(items)
}

/// Links to the months around one.
pub(super) fn around(place: &Address, month: Month) -> Element {
    let to = |month: Month| link(&place.clone().then(&month.to_string()), &month.name());
    el("nav").child(to(month.previous())).child(to(month.next()))
}

/// What was said on a day behind the message with this id, with the link that goes on.
pub(super) async fn day(
    server: &Server,
    reading: &Reading,
    place: &Address,
    (day, after): (Day, u64),
    speaker: &Speaker<'_>,
) -> Result<Vec<Element>, StoreError> {
    let Part { rows, next } = reading.part(server, day.times_ms(), after, ROWS_MAX).await?;
    let here = place.clone().then(&day.to_string());
    let mut page = Vec::new();
    if after > 0 {
        page.push(el("nav").child(link(&here, "The beginning of the day")));
    }
    let lines: Vec<_> = rows.iter().filter_map(|row| line(row, speaker(row))).collect();
    match lines.is_empty() {
        true => page.push(el("p").fixed("class", "note").text("Nothing to read.")),
        false => page.push(el("ol").children(lines)),
    }
    if let Some(next) = next {
        let more = here.asking("after", &next.to_string());
        page.push(el("nav").child(link(&more, "What was said after that")));
    }
    Ok(page)
}

/// One message; none if there is nothing to read in it.
fn line(row: &ArchivedRow, speaker: Option<String>) -> Option<Element> {
    let what = said(&row.stanza.content)?;
    let whole = format_time(i64::try_from(row.at_ms).unwrap_or(i64::MAX));
    let time = el("time").datetime(&whole).text(time_of(row.at_ms));
    let who = el("b").child(el("bdi").text(speaker.as_deref().unwrap_or("The room")));
    let line = el("li").id(&format!("m{}", row.id)).child(time).text(" ").child(who).text(" ");
    let note = |text: &str| el("span").fixed("class", "note").text(text);
    Some(match what {
        Said::Text(text) => line.child(words(&text)),
        Said::Corrected(text) => line.child(words(&text)).text(" ").child(note("(corrected)")),
        Said::Act(text) => line.fixed("class", "act").child(words(&text)),
        Said::Subject(subject) if subject.is_empty() => line.child(note("has removed the subject.")),
        Said::Subject(subject) => line.child(note("has set the subject: ")).child(words(&subject)),
        Said::Encrypted => line.child(note("has sent an encrypted message.")),
        Said::TakenBack => line.child(note("has taken a message back.")),
        Said::Removed => line.child(note("A moderator has removed this message.")),
    })
}

/// Text, with links where it names pages.
fn words(text: &str) -> Element {
    let mut words = el("bdi").fixed("class", "said");
    let mut links = 0;
    for piece in text.split_inclusive(char::is_whitespace) {
        let word = piece.trim_end_matches(char::is_whitespace);
        words = match Address::elsewhere(word).filter(|_| links < LINKS_MAX) {
            Some(to) => {
                links += 1;
                let to = link(&to, word).fixed("rel", "noopener noreferrer nofollow");
                words.child(to).text(&piece[word.len()..])
            }
            None => words.text(piece),
        };
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(element: &Element) -> String {
        let mut out = Vec::new();
        element.write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn addresses_in_what_was_said_become_links_and_nothing_else_does() {
        let text = written(&words("see https://example.org/?a=1&b=2\nor javascript:alert(1) <img src=x onerror=y>"));
        assert!(text.contains("<a href='https://example.org/?a=1&amp;b=2' rel="), "{text}");
        assert_eq!(text.matches("<a ").count(), 1, "{text}");
        assert!(text.contains("</a>\nor javascript:alert(1) &lt;img src=x onerror=y&gt;"), "{text}");
    }

    #[test]
    fn a_message_of_nothing_but_addresses_does_not_become_many_times_as_long() {
        let text = "http://a ".repeat(20_000);
        let page = written(&words(&text));
        assert_eq!(page.matches("<a ").count(), LINKS_MAX);
        assert!(page.len() < text.len() + LINKS_MAX * 100, "{}", page.len());
    }

    #[test]
    fn months_are_listed_from_the_last_to_the_first() {
        let ms = |day: &str| Day::parse(day).unwrap().times_ms().0;
        let list = written(&months(&Address::of("/logs/"), (ms("2025-11-30"), ms("2026-01-01"))));
        let at = |month: &str| list.find(month).unwrap();
        assert!(at("/logs/2026-01/") < at("/logs/2025-12/") && at("/logs/2025-12/") < at("/logs/2025-11/"), "{list}");
        assert_eq!(list.matches("<li>").count(), 3, "{list}");
    }
}
