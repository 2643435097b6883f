//! Pages of lists.
//!
//! Source: GitHub documentation, "Using pagination in the REST API".

use serde_json::{Value, json};
use url::form_urlencoded::Serializer;

use super::{Answer, Request};

/// Which part of a list is asked for.
pub(crate) struct Page {
    number: usize,
    size: usize,
}

impl Page {
    /// From `per_page` (30; 100 at most) and `page` (from 1).
    pub(crate) fn of(request: &Request) -> Self {
        let number = |name| request.query(name).and_then(|text| text.parse::<usize>().ok());
        Self {
            number: number("page").unwrap_or(1).max(1),
            size: number("per_page").unwrap_or(30).clamp(1, 100),
        }
    }

    /// The page's part of a list.
    pub(crate) fn cut<T>(&self, all: Vec<T>) -> impl Iterator<Item = T> {
        all.into_iter().skip((self.number - 1).saturating_mul(self.size)).take(self.size)
    }

    /// An answer `{total_count, <key>: […]}` with its `Link` header; `url` is the list's address.
    pub(crate) fn answer(&self, request: &Request, url: &str, key: &str, all: Vec<Value>) -> Answer {
        let total = all.len();
        let link = self.link(request, url, total);
        let body = json!({ "total_count": total, key: self.cut(all).collect::<Vec<_>>() });
        Answer::ok(body).with_optional("Link", link)
    }

    pub(crate) fn link(&self, request: &Request, url: &str, total: usize) -> Option<String> {
        let last = total.div_ceil(self.size).max(1);
        let to = |page: usize, relation: &str| {
            let mut query = Serializer::new(String::new());
            for (name, value) in request.query.iter().filter(|(name, _)| name != "page") {
                query.append_pair(name, value);
            }
            query.append_pair("page", &page.to_string());
            format!("<{url}?{}>; rel=\"{relation}\"", query.finish())
        };
        let mut links = Vec::new();
        if self.number > 1 {
            links.push(to((self.number - 1).min(last), "prev"));
        }
        if self.number < last {
            links.push(to(self.number + 1, "next"));
            links.push(to(last, "last"));
        }
        if self.number > 1 {
            links.push(to(1, "first"));
        }
        (!links.is_empty()).then(|| links.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(query: &[(&str, &str)]) -> Request {
        let query = query.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        Request { query, ..Request::get("/list") }
    }

    #[test]
    fn the_middle_page_links_both_ways() {
        let request = request(&[("name", "a b"), ("per_page", "2"), ("page", "2")]);
        let page = Page::of(&request);
        assert_eq!(page.cut((1..=5).collect()).collect::<Vec<_>>(), [3, 4]);
        let link = page.link(&request, "http://h/list", 5).unwrap();
        assert!(link.contains("<http://h/list?name=a+b&per_page=2&page=3>; rel=\"next\""), "{link}");
        assert!(link.contains("page=1>; rel=\"prev\""), "{link}");
        assert!(link.contains("page=3>; rel=\"last\""), "{link}");
    }

    #[test]
    fn one_page_has_no_links_and_beyond_the_end_is_empty() {
        let one = request(&[("per_page", "1000")]);
        assert_eq!(Page::of(&one).link(&one, "http://h/list", 100), None);
        let beyond = request(&[("page", "9")]);
        assert_eq!(Page::of(&beyond).cut(vec![1]).count(), 0);
    }
}
