// The groups for what an application is made of: a database, an operating system, a language, a program.
// https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-use-case.html

import WebACL

extension ManagedRules {
  // MARK: - SQL

  /// What no text of a person holds: functions that wait, read files or call out, and tables that describe tables.
  private static let sqlPatterns =
    "\\b(?:waitfor\\s+delay\\b|pg_sleep\\s*\\(|sleep\\s*\\(\\s*[0-9.]+\\s*\\)|benchmark\\s*\\(\\s*[0-9]|xp_(?:cmdshell|dirtree)\\b"
    + "|load_file\\s*\\(|into\\s+(?:out|dump)file\\b|extractvalue\\s*\\(|updatexml\\s*\\(|utl_(?:http|inaddr|file)\\."
    + "|dbms_(?:pipe|ldap|lock|java)\\.|information_schema\\.|pg_catalog\\.|sqlite_master\\b|sys\\.(?:tables|objects|databases)\\b"
    + "|master\\.\\.sys)|@@(?:version|datadir|hostname|servername)\\b"

  static let sql = ManagedGroup(
    name: "AWSManagedRulesSQLiRuleSet", capacity: 200, labelNamespace: "awswaf:managed:aws:sql-database:",
    description: "Castle's own detector of SQL injection, and its own patterns besides, on all parts of the request.",
    rules: rules(
      injection([.queryArguments]) + patterns([.queryArguments]) + injection([.body])
        + patterns([.body, .header, .useCasePath]) + injection([.cookie, .path])))

  private static func injection(_ parts: [Part]) -> [Draft] {
    family("SQLi", parts) { .sqlInjection(WebACL.Inspection($0, [.urlDecodeUnicode]), isSensitive: false) }
  }

  private static func patterns(_ parts: [Part]) -> [Draft] {
    family("SQLiExtendedPatterns", parts) {
      matches($0, [.urlDecodeUnicode, .replaceComments, .lowercase], sqlPatterns)
    }
  }

  // MARK: - Operating systems

  static let linux = ManagedGroup(
    name: "AWSManagedRulesLinuxRuleSet", capacity: 200, labelNamespace: "awswaf:managed:aws:linux-os:",
    description: "Castle's own list of files of Linux that attackers read.",
    rules: rules(
      family("LFI", [.path, .queryString, .header]) {
        contains(
          $0, decoded + [.normalizePath],
          [
            "etc/passwd", "etc/shadow", "etc/group", "etc/hosts", "etc/issue", "etc/crontab", "etc/sudoers",
            "proc/self",
            "proc/version", "proc/cmdline", "proc/mounts", "var/log/", ".bash_history", ".ssh/id_",
          ])
      }))

  /// Where a shell would begin a command.
  private static let shellStart = "(?:;|\\||&&|`|\\$\\(|\\n)\\s*(?:/(?:usr/)?(?:local/)?s?bin/)?"

  /// Variables; commands with what only a shell's arguments begin with, where the command is a word that people write;
  /// and what is of use to a shell alone.
  private static let shell =
    "\\$\\{?(?:HOME|PATH|IFS|SHELL|PWD|OLDPWD|USER|HOSTNAME|BASH_ENV|LD_PRELOAD|LD_LIBRARY_PATH)\\b|" + shellStart
    + "(?:(?:cat|ls|id|ps|env|rm|mv|cp|kill|touch|sleep|dig|ping|sh|bash|dash|zsh|nc|tee|sed|perl|ruby|php|python[0-9.]*)"
    + "\\s+[-/$'\"*.~<>&0-9]|(?:wget|curl|ncat|netcat|chmod|chown|whoami|uname|ifconfig|printenv|nslookup|telnet|tftp|base64|awk"
    + "|xxd|mkfifo)\\s+[^=\\s]|(?:whoami|id|ls|uname|env|printenv|ifconfig|ps|sh|bash)(?:[;|&`)<>]|\\s*$))"
    + "|/bin/(?:ba|z|c|k|da)?sh\\b|/etc/(?:passwd|shadow|sudoers)\\b|/dev/(?:tcp|udp)/|/proc/self/|\\(\\)\\s*\\{\\s*:;\\s*\\}"

  static let unix = ManagedGroup(
    name: "AWSManagedRulesUnixRuleSet", capacity: 100, labelNamespace: "awswaf:managed:aws:posix-os:",
    description: "Castle's own patterns of shell commands and variables of POSIX systems.",
    rules: rules(
      family("UNIXShellCommandsVariables", [.queryString, .body, .header]) { matches($0, [.urlDecodeUnicode], shell) }))

  private static let windowsCommands =
    "(?:;|\\||&&|\\n)\\s*(?:cmd|command|powershell|pwsh|nslookup|ipconfig|systeminfo|tasklist|taskkill|whoami|certutil|bitsadmin"
    + "|wmic|rundll32|regsvr32|mshta|cscript|wscript|schtasks|ping|net\\s+(?:user|localgroup|start|view|use)|dir\\s+[a-z]:"
    + "|type\\s+[a-z]:)(?:\\.exe)?(?:\\s+[^=]|[/;|&\"'<>]|\\s*$)"
    + "|\\bcmd(?:\\.exe)?\\s+/[ckr]\\b|[a-z]:\\\\+windows\\\\+system32\\b|%(?:comspec|systemroot|windir)%"

  private static let powerShell =
    "\\b(?:invoke-(?:expression|webrequest|restmethod|command|item|wmimethod|cimmethod|mimikatz|shellcode)|start-(?:process"
    + "|bitstransfer|job)|set-executionpolicy|get-(?:wmiobject|ciminstance|process|childitem)|new-object\\s+(?:system\\.)?net\\."
    + "|convertto-securestring|out-file)\\b|\\.download(?:string|file|data)\\s*\\(|frombase64string\\s*\\("
    + "|-(?:enc|encodedcommand)\\s+[a-z0-9+/=]{16}|-(?:ep|executionpolicy)\\s+(?:bypass|unrestricted)|\\biex\\s*[($]|\\$env:[a-z]"

  static let windows = ManagedGroup(
    name: "AWSManagedRulesWindowsRuleSet", capacity: 200, labelNamespace: "awswaf:managed:aws:windows-os:",
    description: "Castle's own patterns of commands of Windows and of PowerShell.",
    rules: rules(
      family("WindowsShellCommands", [.header, .queryArguments, .queryString, .useCasePath, .body]) {
        matches($0, decoded, windowsCommands)
      }
        + family("PowerShellCommands", [.cookie, .queryArguments, .body]) { matches($0, decoded, powerShell) }))

  // MARK: - PHP and WordPress

  private static let phpPatterns =
    "\\$(?:_(?:get|post|cookie|request|server|files|session|env)|globals|http_raw_post_data)\\b|<\\?(?:php\\b|=)"
    + "|\\b(?:p?fsockopen|proc_open|shell_exec|passthru|pcntl_exec|base64_decode|gzinflate|str_rot13|create_function"
    + "|call_user_func(?:_array)?|file_(?:get|put)_contents|move_uploaded_file|phpinfo|show_source|highlight_file|readfile"
    + "|parse_ini_file|ini_set|register_shutdown_function)\\s*\\(|\\b(?:eval|assert|system|exec|popen|unserialize)\\("
    + "|\\b(?:php://(?:input|filter|fd|memory|temp)|phar://|expect://|zip://|data://text)"
    + "|\\b(?:auto_(?:ap|pre)pend_file|allow_url_(?:include|fopen)|disable_functions)\\s*="

  static let php = ManagedGroup(
    name: "AWSManagedRulesPHPRuleSet", capacity: 100, labelNamespace: "awswaf:managed:aws:php-app:",
    description: "Castle's own patterns of PHP's functions, variables and streams that injected code uses.",
    rules: rules(
      family("PHPHighRiskMethodsVariables", [.header, .queryString, .body, .path]) { matches($0, decoded, phpPatterns) }
    )
  )

  static let wordPress = ManagedGroup(
    name: "AWSManagedRulesWordPressRuleSet", capacity: 100, labelNamespace: "awswaf:managed:aws:wordpress-app:",
    description: "Castle's own list of WordPress's files and commands that are exploited.",
    rules: rules([
      // Labels as AWS writes them, here without its usual small letters.
      Draft(
        name: "WordPressExploitableCommands_QUERYSTRING", label: "WordPressExploitableCommands_QUERYSTRING",
        statement: contains(
          .queryString, decoded,
          [
            "do-reset-wordpress", "action=revslider_show_image", "action=revslider_ajax_action",
            "action=duplicator_download", "swp_debug=load_options", "wp_abspath=", "action=wp_ajax_try_2020_v2",
            "action=kbslider_show_image", "action=wpuf_file_upload",
          ])),
      Draft(
        name: "WordPressExploitablePaths_URIPATH", label: "WordPressExploitablePaths_URIPATH",
        statement: matches(
          .uriPath, decoded + [.normalizePath],
          "/xmlrpc\\.php|/wp-config\\b|/wp-admin/(?:install|setup-config)\\.php|/wp-content/debug\\.log"
            + "|/wp-content/uploads/.*\\.ph(?:p[0-9]?|tml|ar)(?:/|$)|/timthumb\\.php|/wp-file-manager/lib/php/connector"
        )),
    ]))
}
