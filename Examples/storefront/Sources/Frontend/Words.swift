// How amounts, counts and times are said to people.

/// `$1,234.50` of an amount in cents.
func dollars(_ cents: Int) -> String {
  let whole = String(cents / 100)
  var grouped = ""
  for (index, digit) in whole.enumerated() {
    if index > 0, (whole.count - index) % 3 == 0 { grouped += "," }
    grouped.append(digit)
  }
  let rest = String(cents % 100)
  return "$\(grouped).\(rest.count == 1 ? "0" : "")\(rest)"
}

/// `1 item`, `2 items`.
func counted(_ number: Int, _ one: String, _ many: String) -> String {
  "\(number) \(number == 1 ? one : many)"
}

/// `23 November 2026, 14:05 UTC` of `2026-11-23T14:05:09Z`; a text of another form is given back as it is.
func when(_ time: String) -> String {
  let months = [
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
  ]
  let parts = time.split { $0 == "-" || $0 == "T" || $0 == ":" || $0 == "Z" }
  guard parts.count >= 5, let month = Int(parts[1]), (1...12).contains(month), let day = Int(parts[2]) else {
    return time
  }
  return "\(day) \(months[month - 1]) \(parts[0]), \(parts[3]):\(parts[4]) UTC"
}
