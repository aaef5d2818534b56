//! Says who left last, and what a page says.
mod remit_unit;
use remit_unit::{http, json, state, Answer, Event};

fn left() -> Answer {
    Ok(state::get("left")?.map_or("\"nobody\"".into(), |(data, _)| data))
}

pub fn call(action: &str, _input: &str) -> Answer {
    if action == "who" {
        return left();
    }
    let page = http::get("https://page.example/a")?;
    Ok(format!("{{\"page\":{},\"left\":{}}}", json::quoted(&page.body), left()?))
}

pub fn handle(event: &Event) -> Answer {
    state::put("left", &event.data, None)?;
    Ok("null".into())
}
