using System.Text;

namespace Forebay.Core;

/// <summary>What a log says of a failure.</summary>
public static class FailureText
{
    /// <summary>True for what disks, sources and peers do: its sentence is enough. Else there is a bug, and somebody needs the trace.</summary>
    public static bool IsForeseen(Exception error)
    {
        for (Exception? cause = error; cause is ForebayException known; cause = known.InnerException)
        {
            if (known.IsUnforeseen)
            {
                return false;
            }
        }

        return error is ForebayException or OperationCanceledException;
    }

    /// <summary>The message and those of its causes that it does not repeat, in one line without control characters.</summary>
    public static string Of(Exception error)
    {
        ArgumentNullException.ThrowIfNull(error);
        StringBuilder text = new(error.Message.Trim());
        for (Exception? cause = error.InnerException; cause is not null; cause = cause.InnerException)
        {
            if (cause is not OperationCanceledException && !text.ToString().Contains(cause.Message.Trim(), StringComparison.Ordinal))
            {
                text.Append(": ").Append(cause.Message.Trim());
            }
        }

        return Printable(text.ToString());
    }

    /// <summary>Text that comes from elsewhere, for one line of a terminal: control characters become spaces.</summary>
    public static string Printable(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return text.Any(char.IsControl) ? string.Create(text.Length, text, static (line, from) =>
        {
            for (int i = 0; i < line.Length; i++)
            {
                line[i] = char.IsControl(from[i]) ? ' ' : from[i];
            }
        }) : text;
    }
}
