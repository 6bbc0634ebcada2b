using System.CommandLine;

namespace Forebay.Cli.Doctor;

/// <summary><c>forebay doctor</c>: what it takes.</summary>
internal static class DoctorCommand
{
    public static Command Create()
    {
        Option<OutputFormat> format = OutputOption.Create();
        Command command = new("doctor", "Checks what mounts need of this machine, and each mount on it; says what to do.") { format };
        command.SetAction((parsed, cancellationToken) => DoctorRunner.RunAsync(parsed.GetValue(format), parsed.InvocationConfiguration.Output, cancellationToken));
        return command.WithExamples("forebay doctor", "forebay doctor --output json");
    }
}
