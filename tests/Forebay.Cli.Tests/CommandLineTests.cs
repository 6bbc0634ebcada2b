using System.CommandLine;
using Forebay.Engine;

namespace Forebay.Cli.Tests;

public sealed class CommandLineTests
{
    public static TheoryData<string> Commands => [.. Walk(CommandLine.Create()).Select(CommandExamples.PathOf)];

    [Theory]
    [MemberData(nameof(Commands))]
    public async Task TheHelpOfEveryCommandHasAnExampleOfIt(string command)
    {
        (int code, string output, string error) = await RunAsync([.. command.Split(' ').Skip(1), "--help"]);

        Assert.Equal((ExitCode.Success, ""), (code, error));
        string examples = output[output.IndexOf("Examples:", StringComparison.Ordinal)..];
        Assert.Contains(command, examples, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Commands))]
    public void EveryCommandIsDocumented(string command)
        => Assert.Contains($"`{command}`", File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "docs", "CLI.md")), StringComparison.Ordinal);

    [Fact]
    public void NoOptionTakesASecret()
    {
        IEnumerable<string> options = Walk(CommandLine.Create()).SelectMany(command => command.Options).Select(option => option.Name);

        Assert.DoesNotContain(options, name => name.Contains("secret", StringComparison.Ordinal) || name.Contains("token", StringComparison.Ordinal) || name.Contains("key", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("serve", "--muont", "x=y")]
    [InlineData("sevre")]
    [InlineData("completion", "fish")]
    [InlineData("serve", "--mount")]
    public async Task ABadCommandLineEndsWithTwoAndPointsToTheHelp(params string[] arguments)
    {
        (int code, string output, string error) = await RunAsync(arguments);

        Assert.Equal((ExitCode.Usage, ""), (code, output));
        Assert.Contains("--help", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\"lod\" is not a command; did you mean \"load\"?", "lod", "/data/")]
    [InlineData("\"frobnicate\" is not a command.", "frobnicate")]
    public async Task AMistypedCommandIsNamedInOneSentence(string sentence, params string[] arguments)
    {
        (_, _, string error) = await RunAsync(arguments);

        Assert.Equal($"forebay: {sentence}\nRun \"forebay --help\" for what it takes.\n", error);
    }

    [Theory]
    [InlineData("\"--lst\" is no option of forebay pin; did you mean \"--list\"?", "pin", "--lst")]
    [InlineData("\"--interal\" is no option of forebay top; did you mean \"--interval\"?", "top", "--interal=5s")]
    [InlineData("\"--lazzy\" is no option of forebay unmount; did you mean \"--lazy\"?", "unmount", "--lazzy", "/mnt/nothing")]
    [InlineData("\"--foo\" is no option of forebay mount.", "mount", "--foo")]
    public async Task AMistypedOptionIsNoPath(string sentence, params string[] arguments)
    {
        (int code, string output, string error) = await RunAsync(arguments);

        Assert.Equal((ExitCode.Usage, ""), (code, output));
        Assert.StartsWith($"forebay: {sentence} What begins with a dash and is a path comes behind \"--\".\nRun \"forebay {arguments[0]} --help\"", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task BehindTwoDashesEverythingIsAPath()
    {
        (int code, _, string error) = await RunAsync(["unmount", "--", "--foo"]);

        Assert.NotEqual(ExitCode.Usage, code);
        Assert.Contains("/--foo", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task FaultsOfTheConfigurationEndServeWithTwo()
    {
        (int code, string output, string error) = await RunAsync(["serve", "--mount", "data=s3://b", "--cache", "/x", "--s3", "here"]);

        Assert.Equal((ExitCode.Usage, ""), (code, output));
        Assert.EndsWith("forebay: 2 faults in the configuration; nothing was started.\n", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task TheVersionIsPrintedForPeopleAndMachines()
    {
        Assert.StartsWith($"forebay {ProductVersion.Text} (.NET 10", (await RunAsync(["version"])).Output, StringComparison.Ordinal);
        using System.Text.Json.JsonDocument json = System.Text.Json.JsonDocument.Parse((await RunAsync(["version", "--output", "json"])).Output);
        Assert.Equal(ProductVersion.Text, json.RootElement.GetProperty("version").GetString());
    }

    [Fact]
    public async Task TheCompletionScriptsAskTheExecutableItself()
    {
        Assert.Contains("[suggest:", (await RunAsync(["completion", "bash"])).Output, StringComparison.Ordinal);
        Assert.Contains("[suggest:", (await RunAsync(["completion", "zsh"])).Output, StringComparison.Ordinal);
        (_, string suggestions, _) = await RunAsync(["[suggest:10]", "forebay se"]);
        Assert.Contains("serve", suggestions.Split('\n'));
    }

    private static IEnumerable<Command> Walk(Command command) => command.Subcommands.SelectMany(Walk).Prepend(command);

    private static async Task<(int Code, string Output, string Error)> RunAsync(string[] arguments)
    {
        using StringWriter output = new();
        using StringWriter error = new();
        int code = await CommandLine.RunAsync(arguments, output, error);
        return (code, output.ToString(), error.ToString());
    }
}
