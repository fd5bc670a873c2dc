// Scripts for one part of the engine, written as tables of text. Each line has an input and the expected result: the
// answer of the part under test and the state of the part after the input. The part is wrapped in a class with two
// methods:
//
//   std::string Do(Words& words);  // executes one line; returns the answer and the state, as text
//   std::string Broken() const;    // returns FindBrokenInvariant(), and is called after each line
//
// A description that Broken() returns is appended to the result of the line: "… !! a description".
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "engine/event_table.hpp"
#include "tests/catch.hpp"

namespace outbox::engine {

// Reads the words of one line, from the first to the last.
class Words {
 public:
  explicit Words(const std::string& line) {
    std::istringstream in(line);
    for (std::string word; in >> word;) words_.push_back(word);
  }
  // Takes the next word and returns true if it equals `word`; otherwise takes nothing.
  bool Is(const std::string& word) {
    if (place_ == words_.size() || words_[place_] != word) return false;
    ++place_;
    return true;
  }
  [[nodiscard]] bool AtEnd() const { return place_ == words_.size(); }
  std::string Next() { return AtEnd() ? "" : words_[place_++]; }
  // Takes the next word as a number. The word "ever" stands for kForever.
  Time Number() {
    if (AtEnd()) throw std::invalid_argument("a number is missing at the end of the line");
    const std::string& word = words_[place_++];
    return word == "ever" ? kForever : std::stoll(word);
  }
  // Takes all numbers up to the next word that is not a number.
  std::vector<Time> Numbers() {
    std::vector<Time> numbers;
    while (!AtEnd() && words_[place_].find_first_not_of("0123456789") == std::string::npos) numbers.push_back(Number());
    return numbers;
  }
  // Returns a remark if a word of the line was not taken, which is a mistake in the script; otherwise an empty string.
  [[nodiscard]] std::string Rest() const { return AtEnd() ? "" : " ?? " + words_[place_]; }

 private:
  std::vector<std::string> words_;
  std::size_t place_ = 0;
};

inline std::string Text(Time time) { return time == kForever ? "ever" : std::to_string(time); }

// Formats the numbers, each preceded by a space.
template <class Numbers>
std::string TextOf(const Numbers& numbers) {
  std::string text;
  for (const auto number : numbers) text += ' ' + std::to_string(number);
  return text;
}

// Adds a batch of one event, and moves the event through `states` in the given order. Returns the event.
inline EventIndex AddEvent(EventTable& events, const std::vector<EventState>& states, const Incoming& event = {},
                           const Reservation& reservation = {}) {
  const EventIndex e = events.Add(events.AddBatch(reservation, 1), 0, event, true);
  for (const EventState state : states) events.Move(events[e], state);
  return e;
}

struct Line {
  std::string when, then;
};
struct Script {
  std::string given;
  std::vector<Line> lines;
};

// Runs each script with a new part, and compares the results of its lines. Returns the number of lines.
template <class Part>
std::size_t Play(const std::vector<Script>& scripts) {
  std::size_t lines = 0;
  for (const Script& script : scripts) {
    INFO("given " << script.given);
    Part part;
    for (std::size_t i = 0; i < script.lines.size(); ++i, ++lines) {
      INFO("line " << i + 1 << ", when " << script.lines[i].when);
      Words words(script.lines[i].when);
      std::string result = part.Do(words);
      result += words.Rest();
      if (const std::string broken = part.Broken(); !broken.empty()) result += " !! " + broken;
      CHECK(result == script.lines[i].then);
    }
  }
  return lines;
}

}  // namespace outbox::engine
