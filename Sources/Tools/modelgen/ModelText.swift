// The text form of a model, one declaration a line; AWSWire's ModelReader reads it.

import Foundation

struct ModelText {
  let module: String
  let model: SourceModel
  let operations: [String]
  let shapes: [String]
  let errors: [String]

  var lines: [String] {
    get throws {
      var lines = [service(), "known " + model.operations.keys.sorted().compactMap(known).joined(separator: " ")]
      for name in operations { lines.append(operation(name)) }
      for name in shapes { lines += try declaration(name) }
      for name in errors { lines.append(try error(name)) }
      return lines
    }
  }

  private func escaped(_ text: String) -> String { text.replacingOccurrences(of: " ", with: "%20") }

  private func service() -> String {
    let m = model.metadata
    let protocols = (m["protocols"] as? [String] ?? [m["protocol"] as? String ?? ""]).joined(separator: ",")
    let endpoint = m["endpointPrefix"] as? String ?? ""
    var text = "service \(endpoint) id=\(escaped(m["serviceId"] as? String ?? "")) endpoint=\(endpoint)"
    text += " signing=\(m["signingName"] as? String ?? endpoint) protocols=\(protocols)"
    text += " version=\(m["apiVersion"] as? String ?? "")"
    if let target = m["targetPrefix"] as? String { text += " target=\(target)" }
    if let json = m["jsonVersion"] as? String { text += " json=\(json)" }
    if let ns = m["xmlNamespace"] as? String { text += " ns=\(ns)" }
    if m["awsQueryCompatible"] != nil { text += " querycompatible" }
    return text
  }

  private var isREST: Bool { (model.metadata["protocol"] as? String ?? "").hasPrefix("rest-") }

  /// An operation's name and, on REST, what tells it from the others:
  /// `Name@METHOD@uri@required,query,parameters@required,headers`.
  private func known(_ name: String) -> String? {
    let operation = model.operations[name] as? JSON ?? [:]
    guard isREST else { return name }
    let http = operation["http"] as? JSON ?? [:]
    // S3's old operations (GetBucketLifecycle) lie where their successors do.
    if operation["deprecated"] as? Bool == true, !operations.contains(name) { return nil }
    let input = (operation["input"] as? JSON)?["shape"] as? String ?? ""
    let shape = model.shapes[input] as? JSON ?? [:]
    let members = shape["members"] as? [String: JSON] ?? [:]
    func required(_ location: String) -> String {
      (shape["required"] as? [String] ?? []).filter { members[$0]?["location"] as? String == location }
        .map { members[$0]?["locationName"] as? String ?? $0 }.sorted().joined(separator: ",")
    }
    var text = "\(name)@\(http["method"] as? String ?? "POST")@\(http["requestUri"] as? String ?? "/")"
    text += "@\(required("querystring"))@\(required("header"))"
    while text.hasSuffix("@") { text.removeLast() }
    return text
  }

  private func operation(_ name: String) -> String {
    let operation = model.operations[name] as? JSON ?? [:]
    let http = operation["http"] as? JSON ?? [:]
    let input = operation["input"] as? JSON
    let output = operation["output"] as? JSON
    var text = "op \(name) \(http["method"] as? String ?? "POST") \(http["requestUri"] as? String ?? "/")"
    text += " \(input?["shape"] as? String ?? "-") \(output?["shape"] as? String ?? "-")"
    if let wrapper = output?["resultWrapper"] as? String { text += " wrapper=\(wrapper)" }
    if let status = http["responseCode"] as? Int, status != 200 { text += " status=\(status)" }
    let errors = (operation["errors"] as? [JSON] ?? []).compactMap { $0["shape"] as? String }
    if !errors.isEmpty { text += " errors=\(errors.joined(separator: ","))" }
    if let locationName = input?["locationName"] as? String { text += " inname=\(locationName)" }
    if let ns = (input?["xmlNamespace"] as? JSON)?["uri"] as? String { text += " inns=\(ns)" }
    return text
  }

  private func declaration(_ name: String) throws -> [String] {
    let shape = try model.shape(name)
    let kind = shape["type"] as? String ?? ""
    switch kind {
    case "structure" where shape["document"] as? Bool != true: return structure(name, shape)
    case "list":
      let member = shape["member"] as? JSON ?? [:]
      var text = "list \(name) \(member["shape"] as? String ?? "")"
      if let n = member["locationName"] as? String { text += " n=\(n)" }
      return [text + range(shape) + (shape["flattened"] as? Bool == true ? " flat" : "") + sensitive(shape)]
    case "map":
      let key = shape["key"] as? JSON ?? [:]
      let value = shape["value"] as? JSON ?? [:]
      var text = "map \(name) \(key["shape"] as? String ?? "") \(value["shape"] as? String ?? "")"
      if let n = key["locationName"] as? String { text += " k=\(n)" }
      if let n = value["locationName"] as? String { text += " v=\(n)" }
      return [text + range(shape) + (shape["flattened"] as? Bool == true ? " flat" : "") + sensitive(shape)]
    case "integer", "long", "short", "byte": return ["int \(name)" + range(shape)]
    case "float", "double", "bigdecimal": return ["dbl \(name)" + range(shape)]
    case "boolean": return ["bool \(name)"]
    case "blob": return ["blob \(name)" + range(shape) + sensitive(shape)]
    case "timestamp":
      return ["ts \(name)" + ((shape["timestampFormat"] as? String).map { " ts=\($0)" } ?? "")]
    default:
      var text = "str \(name)" + range(shape) + sensitive(shape)
      if let values = shape["enum"] as? [String] { text += " enum=\(values.map(escaped).joined(separator: "|"))" }
      if let pattern = shape["pattern"] as? String, !pattern.contains("\n") { text += " pat=\(pattern)" }
      return [text]
    }
  }

  private func range(_ shape: JSON) -> String {
    var text = ""
    if let min = shape["min"] { text += " min=\(min)" }
    if let max = shape["max"] { text += " max=\(max)" }
    return text
  }

  private func sensitive(_ shape: JSON) -> String { shape["sensitive"] as? Bool == true ? " sensitive" : "" }

  private func structure(_ name: String, _ shape: JSON) -> [String] {
    var text = "struct \(name)"
    if let payload = shape["payload"] as? String { text += " payload=\(payload)" }
    if shape["union"] as? Bool == true { text += " union" }
    if let ns = (shape["xmlNamespace"] as? JSON)?["uri"] as? String { text += " ns=\(ns)" }
    var lines = [text + sensitive(shape)]
    let required = Set(shape["required"] as? [String] ?? [])
    for (member, json) in (shape["members"] as? [String: JSON] ?? [:]).sorted(by: { $0.key < $1.key }) {
      var line = "m \(member) \(json["shape"] as? String ?? "")"
      if required.contains(member) { line += " !" }
      if let n = json["locationName"] as? String { line += " n=\(n)" }
      if let q = json["queryName"] as? String { line += " q=\(q)" }
      if let location = json["location"] as? String { line += " l=\(location)" }
      if json["flattened"] as? Bool == true { line += " flat" }
      if json["xmlAttribute"] as? Bool == true { line += " attr" }
      if json["idempotencyToken"] as? Bool == true { line += " token" }
      let target = model.shapes[json["shape"] as? String ?? ""] as? JSON ?? [:]
      if json["streaming"] as? Bool == true || target["streaming"] as? Bool == true { line += " stream" }
      if let ts = json["timestampFormat"] as? String { line += " ts=\(ts)" }
      if let ns = (json["xmlNamespace"] as? JSON)?["uri"] as? String { line += " ns=\(ns)" }
      lines.append(line)
    }
    return lines
  }

  private func error(_ name: String) throws -> String {
    let shape = try model.shape(name)
    let error = shape["error"] as? JSON ?? [:]
    let isFault = shape["fault"] as? Bool == true
    let status = error["httpStatusCode"] as? Int ?? (isFault ? 500 : 400)
    let members = shape["members"] as? JSON ?? [:]
    return "struct \(name) code=\(error["code"] as? String ?? name) status=\(status)" + (isFault ? " fault" : "")
      + (members["message"] == nil && members["Message"] != nil ? " msg=Message" : "")
  }
}
