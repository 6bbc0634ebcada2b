using System.CommandLine;
using Forebay.Cli.Serve;

namespace Forebay.Cli.Demo;

/// <summary><c>forebay demo</c>: what it takes.</summary>
internal static class DemoCommand
{
    public static Command Create()
    {
        Option<bool> exit = new("--exit") { Description = "End after the table instead of leaving the node running." };
        Option<OutputFormat> output = OutputOption.Create();
        Command command = new("demo", "Shows the main job: a data set behind a slow link, read cold and hot through the S3 endpoint.") { exit, output };
        command.SetAction((parsed, _) =>
        {
            System.CommandLine.InvocationConfiguration console = parsed.InvocationConfiguration;
            return DemoRunner.RunAsync(parsed.GetValue(exit), parsed.GetValue(output), CompositionRoot.ComposeAsync, console.Output, console.Error);
        });
        return command.WithExamples("forebay demo", "forebay demo --exit");
    }
}
