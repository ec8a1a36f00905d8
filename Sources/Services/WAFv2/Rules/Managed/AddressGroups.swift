// The groups that judge by the source's address. AWS's lists are not public: the addresses come from a file that the
// user may give, and from the attacks that Castle's own Shield recorded. Without them the lists are empty.
// https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-ip-rep.html

import WebACL

extension ManagedRules {
  static let reputation = ManagedGroup(
    name: "AWSManagedRulesAmazonIpReputationList", capacity: 25, labelNamespace: "awswaf:managed:aws:amazon-ip-list:",
    description:
      "Addresses from wafv2/lists.csv in the castle's folder; AWSManagedIPDDoSList also those that took part in the "
      + "last day's attacks on this castle.",
    version: nil,
    rules: rules([
      listed("AWSManagedIPReputationList"), listed("AWSManagedReconnaissanceList"),
      listed(AddressLists.attackers, .count()),
    ]))

  static let anonymous = ManagedGroup(
    name: "AWSManagedRulesAnonymousIpList", capacity: 50, labelNamespace: "awswaf:managed:aws:anonymous-ip-list:",
    description: "Addresses from wafv2/lists.csv in the castle's folder.", version: nil,
    rules: rules([listed("AnonymousIPList"), listed("HostingProviderIPList")]))

  private static func listed(_ name: String, _ action: WebACL.Action = .block()) -> Draft {
    Draft(name: name, label: name, statement: .addressList(name), action: action)
  }
}
