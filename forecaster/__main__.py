from forecaster.cli import main

main(prog_name="quakecast")
