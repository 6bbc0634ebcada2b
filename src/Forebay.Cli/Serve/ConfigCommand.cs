using System.CommandLine;
using System.Text;
using System.Text.Json;
using Forebay.Cli.Configuration;
using Forebay.Cli.Verbs;

namespace Forebay.Cli.Serve;

/// <summary><c>forebay config</c>: what a node would be told by the same file, environment and flags; starts nothing.</summary>
internal static class ConfigCommand
{
    public static Command Create()
    {
        ConfigurationFlags flags = new();
        Option<OutputFormat> format = OutputOption.Create();
        Command command = new("config", "Shows every option as 'serve' with the same flags would have it, or all faults; starts nothing.");
        flags.AddTo(command);
        command.Options.Add(format);
        command.SetAction(parsed => Run(flags.Read(parsed), parsed.GetValue(format), parsed.InvocationConfiguration.Output, parsed.InvocationConfiguration.Error));
        return command.WithExamples("forebay config --config /etc/forebay/forebay.yaml", "forebay config --mount data=s3://bucket --preset training --output json");
    }

    /// <summary>The work; gives the exit code.</summary>
    public static int Run(ConfigurationInput input, OutputFormat format, TextWriter output, TextWriter error)
    {
        ConfigurationResult loaded = ConfigurationLoader.Load(input);
        ServeRunner.Report(loaded, error);
        if (loaded.Configuration is not { } configuration)
        {
            return ExitCode.Usage;
        }

        IReadOnlyList<EffectiveOption> options = EffectiveOption.Of(configuration);
        output.Write(format == OutputFormat.Json
            ? Json(options)
            : HumanText.Table(["<OPTION", "<VALUE"], [.. options.Select(option => new[] { option.Name, HumanText.Safe(option.Value ?? option.WhenNotGiven) })]));
        return ExitCode.Success;
    }

    private static string Json(IReadOnlyList<EffectiveOption> options)
    {
        using MemoryStream bytes = new();
        using (Utf8JsonWriter writer = new(bytes, new JsonWriterOptions { Indented = true }))
        {
            writer.WriteStartObject();
            foreach (EffectiveOption option in options)
            {
                writer.WriteString(option.Name, option.Value);
            }

            writer.WriteEndObject();
        }

        return Encoding.UTF8.GetString(bytes.ToArray()) + Environment.NewLine;
    }
}
