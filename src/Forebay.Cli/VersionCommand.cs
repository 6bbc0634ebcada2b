using System.CommandLine;
using System.Runtime.InteropServices;
using System.Text.Json;
using Forebay.Engine;

namespace Forebay.Cli;

/// <summary><c>forebay version</c>.</summary>
internal static class VersionCommand
{
    public static Command Create()
    {
        Option<OutputFormat> output = OutputOption.Create();
        Command command = new("version", "Prints the version of forebay and of its runtime.") { output };
        command.SetAction(parsed =>
        {
            TextWriter writer = parsed.InvocationConfiguration.Output;
            if (parsed.GetValue(output) == OutputFormat.Json)
            {
                writer.WriteLine($$"""{"version":"{{JsonEncodedText.Encode(ProductVersion.Text)}}","runtime":"{{JsonEncodedText.Encode(Environment.Version.ToString())}}","platform":"{{JsonEncodedText.Encode(RuntimeInformation.RuntimeIdentifier)}}"}""");
            }
            else
            {
                writer.WriteLine($"forebay {ProductVersion.Text} (.NET {Environment.Version}, {RuntimeInformation.RuntimeIdentifier})");
            }

            return ExitCode.Success;
        });
        return command.WithExamples("forebay version", "forebay version --output json");
    }
}
