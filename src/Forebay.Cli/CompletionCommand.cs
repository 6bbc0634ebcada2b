using System.CommandLine;

namespace Forebay.Cli;

/// <summary><c>forebay completion</c>: scripts that let a shell ask this executable what may follow.</summary>
internal static class CompletionCommand
{
    private const string Bash = """
        _forebay() {
            local IFS=$'\n'
            COMPREPLY=($(compgen -W "$("${COMP_WORDS[0]}" "[suggest:${COMP_POINT}]" "${COMP_LINE}" 2>/dev/null)" -- "${COMP_WORDS[COMP_CWORD]}"))
        }
        complete -o default -F _forebay forebay ./forebay
        """;

    private const string Zsh = """
        #compdef forebay
        _forebay() {
            local -a candidates
            candidates=("${(@f)$(${words[1]} "[suggest:$((CURSOR))]" "$BUFFER" 2>/dev/null)}")
            compadd -a candidates
            [[ ${#candidates} -gt 0 ]] || _files
        }
        compdef _forebay forebay
        """;

    public static Command Create()
    {
        Argument<string> shell = new("shell") { Description = "bash or zsh." };
        shell.AcceptOnlyFromAmong("bash", "zsh");
        Command command = new("completion", "Prints a script that completes forebay's commands and options in a shell.") { shell };
        command.SetAction(parsed =>
        {
            parsed.InvocationConfiguration.Output.WriteLine(parsed.GetValue(shell) is "zsh" ? Zsh : Bash);
            return ExitCode.Success;
        });
        return command.WithExamples("source <(forebay completion bash)", "forebay completion zsh > \"${fpath[1]}/_forebay\"");
    }
}
