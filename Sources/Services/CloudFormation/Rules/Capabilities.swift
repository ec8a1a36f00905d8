// Templates that make identities must be acknowledged.

import Templates

enum Capabilities {
  private static let identities: Set<String> = [
    "AWS::IAM::AccessKey", "AWS::IAM::Group", "AWS::IAM::InstanceProfile", "AWS::IAM::ManagedPolicy",
    "AWS::IAM::Policy", "AWS::IAM::Role", "AWS::IAM::User", "AWS::IAM::UserToGroupAddition",
  ]
  private static let names = ["RoleName", "UserName", "GroupName", "ManagedPolicyName", "InstanceProfileName"]

  /// The capability that a template needs, if any, and the resources that need it.
  static func required(_ template: Template) -> (capability: String, resources: [String])? {
    let found = template.resources.filter { identities.contains($0.type) }
    guard !found.isEmpty else { return nil }
    let named = found.contains { resource in
      resource.properties?.entries?.contains { names.contains($0.key) } ?? false
    }
    return (named ? "CAPABILITY_NAMED_IAM" : "CAPABILITY_IAM", found.map(\.type))
  }

  /// The capability that is missing from those acknowledged.
  static func missing(_ template: Template, acknowledged: [String]) -> String? {
    guard let (capability, _) = required(template) else { return nil }
    if acknowledged.contains("CAPABILITY_NAMED_IAM") { return nil }
    if capability == "CAPABILITY_IAM", acknowledged.contains("CAPABILITY_IAM") { return nil }
    return capability
  }
}
