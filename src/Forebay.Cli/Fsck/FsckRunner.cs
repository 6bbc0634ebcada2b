using System.Globalization;
using System.Text.Json;
using Forebay.Caching;
using Forebay.Cli.Verbs;
using Forebay.Core;

namespace Forebay.Cli.Fsck;

/// <summary>The work of <c>forebay fsck</c>: checks directories one after another and prints what was found.</summary>
internal sealed class FsckRunner(TextWriter output, TextWriter error, bool isInteractive, TimeProvider time)
{
    private const int BarWidth = 24;
    private static readonly TimeSpan RedrawInterval = TimeSpan.FromMilliseconds(200);
    private long _drawnAt;
    private bool _isDrawn;

    /// <summary>Checks all directories; gives the exit code.</summary>
    public int Run(IReadOnlyList<string> directories, bool quick, OutputFormat format, CancellationToken cancellationToken)
    {
        List<FsckResult> results = [];
        foreach (string directory in directories)
        {
            try
            {
                TierCheckReport report = TierCheck.Run(directory, quick, isInteractive ? progress => Draw(directory, progress) : null, cancellationToken);
                EndDrawing();
                results.Add(new FsckResult(directory, report.IsClean ? "clean" : "damaged", Problem: null, report));
            }
            catch (OperationCanceledException)
            {
                EndDrawing();
                error.WriteLine("forebay: stopped.");
                return VerbExitCode.Interrupted;
            }
            catch (Exception e) when (e is ForebayException or IOException or UnauthorizedAccessException)
            {
                EndDrawing();
                error.WriteLine($"forebay: {e.Message}");
                results.Add(new FsckResult(directory, "notChecked", e.Message, Report: null));
            }

            if (format == OutputFormat.Table && results[^1].Report is { } done)
            {
                Print(done);
            }
        }

        if (format == OutputFormat.Json)
        {
            output.WriteLine(JsonSerializer.Serialize(results, FsckJson.Default.ListFsckResult));
        }

        return results.Exists(result => result.Report is null) ? ExitCode.Environment
            : results.Exists(result => result.Report is { IsClean: false }) ? ExitCode.Failure
            : ExitCode.Success;
    }

    private void Print(TierCheckReport report)
    {
        string damaged = report.DamagedObjects == 0 ? "" : $", {HumanText.Count(report.DamagedObjects)} damaged";
        output.WriteLine(report.Directory);
        Row("objects", $"{HumanText.Count(report.Objects)} ({HumanText.Count(report.WholeObjects)} whole{damaged})");
        Row("pages", $"{HumanText.Count(report.PresentPages)} of {HumanText.Bytes(report.PageSizeBytes)}; {(report.IsQuick ? "bytes not checked (--quick)" : $"{HumanText.Count(report.CheckedPages)} checked, {HumanText.Count(report.CorruptPages)} corrupt")}");
        Row("bytes", $"{HumanText.Bytes(report.PresentBytes)} in pages, {HumanText.Bytes(report.RowBytes)} by the index, {HumanText.Bytes(report.DiskBytes)} on the disk; index {HumanText.Bytes(report.IndexBytes)}");
        if (report.OrphanFiles > 0)
        {
            Row("orphans", $"{HumanText.Count(report.OrphanFiles)} files, {HumanText.Bytes(report.OrphanBytes)}");
        }

        foreach (TierFinding finding in report.Findings)
        {
            string key = finding.Key is null ? "" : $" ({HumanText.Safe(finding.Key)})";
            string at = finding.FirstByte is { } first ? $" at byte {first.ToString(CultureInfo.InvariantCulture)}, {HumanText.Bytes(finding.Bytes)}" : "";
            output.WriteLine($"  {(finding.IsDamage ? "damage" : "note  ")}  {HumanText.Safe(finding.File)}{key}: {finding.What}{at}");
            output.WriteLine($"          next start: {finding.Recovery}");
        }

        if (report.OmittedFindings > 0)
        {
            output.WriteLine($"  and {HumanText.Count(report.OmittedFindings)} more");
        }

        Row(report.IsClean ? "clean" : "DAMAGED", report.IsClean ? "every page that was checked is as it was stored" : $"{HumanText.Count(report.DamageCount)} findings; nothing was changed, and nothing but cached copies is concerned");

        void Row(string name, string text) => output.WriteLine($"  {name,-7} {text}");
    }

    private void Draw(string directory, TierCheckProgress progress)
    {
        long now = time.GetTimestamp();
        if (_isDrawn && time.GetElapsedTime(_drawnAt, now) < RedrawInterval)
        {
            return;
        }

        _isDrawn = true;
        _drawnAt = now;
        double share = progress.TotalBytes > 0 ? Math.Clamp((double)progress.DoneBytes / progress.TotalBytes, 0, 1) : 1;
        int filled = (int)(share * BarWidth);
        error.Write(string.Create(
            CultureInfo.InvariantCulture,
            $"\r\u001b[K[{new string('#', filled)}{new string('-', BarWidth - filled)}] {100 * share,3:0} %  {HumanText.Bytes(progress.DoneBytes)}/{HumanText.Bytes(progress.TotalBytes)}  {HumanText.Count(progress.DoneObjects)}/{HumanText.Count(progress.TotalObjects)} objects  {directory}"));
    }

    private void EndDrawing()
    {
        if (_isDrawn)
        {
            error.Write("\r\u001b[K");
            _isDrawn = false;
        }
    }
}
